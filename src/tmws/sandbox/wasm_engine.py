"""WebAssembly as a pure function: no import, one memory, bounded steps, table and stack.

Compiled anew from the module's own bytes each time: a compiled artefact is machine code
that nobody can look through, so none is ever kept or read. What a checker does not need
of WebAssembly is switched off.
"""

from __future__ import annotations

import ctypes
from importlib.metadata import version

import wasmtime
from wasmtime import Config, Engine, Func, Instance, Memory, Module, Store, Trap, TrapCode

_LAST_PART = 16
"""Who gives up with less of its memory left than one in so many wanted more."""

_MOST_NAMES = 3
_OFF = (
    "gc_support",
    "memory_may_move",
    "parallel_compilation",
    "shared_memory",
    "wasm_component_model",
    "wasm_custom_page_sizes",
    "wasm_exceptions",
    "wasm_function_references",
    "wasm_gc",
    "wasm_memory64",
    "wasm_multi_memory",
    "wasm_relaxed_simd",
    "wasm_stack_switching",
    "wasm_tail_call",
    "wasm_threads",
    "wasm_wide_arithmetic",
)

Answer = tuple[str | None, str | None, str]
"""The number as text, or what ended it before, and the engine's word for that."""


class Unfit(Exception):
    """The module is no checker; the words say why."""


class Machine:
    """Runs one module, once.

    Attributes:
        engine: name and version.
        fuel_used, memory_used: steps, and bytes of the module's memory, so far.
    """

    def __init__(
        self, *, fuel: int, memory_bytes: int, table_elements: int, stack_bytes: int
    ) -> None:
        config = Config()
        for name in _OFF:
            setattr(config, name, False)
        numbers = {
            "max_wasm_stack": stack_bytes,
            # All of it at once: a memory that grows never moves, and no more is mapped.
            "memory_reservation": memory_bytes,
            "memory_reservation_for_growth": 0,
            "memory_guard_size": 0,
        }
        for name, value in (numbers | {"consume_fuel": True}).items():
            setattr(config, name, value)
        self.engine = f"wasmtime {version('wasmtime')}"
        self.memory_used = 0
        self._fuel = fuel
        self._memory_bytes = memory_bytes
        self._engine = Engine(config)
        self._store = Store(self._engine)
        self._store.set_fuel(fuel)
        self._store.set_limits(
            memory_size=memory_bytes,
            table_elements=table_elements,
            instances=1,
            tables=1,
            memories=1,
        )
        self._memory: Memory | None = None

    @property
    def fuel_used(self) -> int:
        return self._fuel - self._store.get_fuel()

    def run(self, code: bytes, content: bytes | None) -> Answer:
        """Return the module's number for these bytes; without them, only look at it."""
        try:
            module = Module(self._engine, code)
            require_checker(module)
            instance = Instance(self._store, module, [])
            if content is None:
                return None, None, ""
            return _text(self._computed(instance, content)), None, ""
        except Unfit as error:
            return None, "unfit", str(error)
        except Trap as trap:
            return None, *self._ended(trap)
        except wasmtime.WasmtimeError as error:
            return None, "unfit", " ".join(str(error).split())
        finally:
            if self._memory is not None:
                self.memory_used = self._memory.data_len(self._store)

    def _computed(self, instance: Instance, content: bytes) -> int | float:
        exports = instance.exports(self._store)
        memory, allocate, metric = (exports[name] for name in ("memory", "allocate", "metric"))
        assert isinstance(memory, Memory)
        assert isinstance(allocate, Func)
        assert isinstance(metric, Func)
        self._memory = memory
        length = len(content)
        address = allocate(self._store, length) & 0xFFFFFFFF  # addresses have no sign
        if address + length > memory.data_len(self._store):
            raise Unfit(f"allocate({length}) returned {address}, where its memory has no room")
        if length:
            place = ctypes.addressof(memory.data_ptr(self._store).contents) + address
            ctypes.memmove(place, content, length)
        value: int | float = metric(self._store, _signed(address), length)
        return value

    def _ended(self, trap: Trap) -> tuple[str, str]:
        code = trap.trap_code
        if code is TrapCode.OUT_OF_FUEL:
            return "fuel", ""
        if code is TrapCode.UNREACHABLE and self._memory is not None:  # what allocators end with
            left = self._memory_bytes - self._memory.data_len(self._store)
            if left < self._memory_bytes // _LAST_PART:
                return "memory", ""
        return "trap", code.name.lower().replace("_", " ") if code else "unnamed"


def require_checker(module: Module) -> None:
    """Refuse a module that asks for anything, or lacks what is asked of it.

    Raises:
        Unfit: naming the first of it.
    """
    wanted = [f"{each.module}.{each.name}" for each in module.imports]
    if wanted:
        listed = ", ".join(wanted[:_MOST_NAMES]) + ", ..." * (len(wanted) > _MOST_NAMES)
        raise Unfit(f"it imports {listed}; nothing is given to it, so build it without")
    kinds = {each.name: each.type for each in module.exports}
    if not isinstance(kinds.get("memory"), wasmtime.MemoryType):
        raise Unfit("it exports no memory of the name memory")
    _require_function(kinds.get("allocate"), "allocate", ["i32"], {"i32"})
    _require_function(kinds.get("metric"), "metric", ["i32", "i32"], {"f64", "i64", "i32"})


def _require_function(kind: object, name: str, takes: list[str], gives: set[str]) -> None:
    if not isinstance(kind, wasmtime.FuncType):
        raise Unfit(f"it exports no function of the name {name}")
    takes_now, gives_now = ([str(each) for each in some] for some in (kind.params, kind.results))
    if takes_now != takes or len(gives_now) != 1 or gives_now[0] not in gives:
        raise Unfit(f"{name} takes ({', '.join(takes_now)}) and gives ({', '.join(gives_now)})")


def _signed(address: int) -> int:
    return address - 2**32 if address >= 2**31 else address


def _text(value: int | float) -> str:
    return repr(value)
