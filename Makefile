.PHONY: test
test:
	@false
