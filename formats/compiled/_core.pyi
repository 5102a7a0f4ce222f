from collections.abc import Callable, Iterable, Mapping, Sequence

from formats.compiled.ordering import Order
from formats.compiled.predicates import Sieve
from formats.compiled.program import Program
from formats.lines import Lines

class Output:
    @property
    def sources(self) -> memoryview: ...
    @property
    def order_keys(self) -> memoryview: ...
    @property
    def filtered(self) -> int: ...
    @property
    def shortened(self) -> dict[int, int]: ...
    @property
    def handed_count(self) -> int: ...
    @property
    def handed_over(self) -> list[tuple[int, int, int, int]]: ...
    @property
    def unmapped(self) -> dict[str, int]: ...
    def lines(self) -> Lines: ...
    def merged(
        self, lines: Iterable[bytes], numbers: Iterable[int], shortened: Mapping[int, int]
    ) -> Output: ...
    def __len__(self) -> int: ...

class Core:
    wants_order: bool
    def __init__(
        self, program: Program, sieve: Sieve | None = None, order: Order | None = None
    ) -> None: ...
    def run(
        self,
        data: bytes | memoryview,
        meaning_of: Callable[[str], tuple[int, bool, bool, bool]],
        resolve: Callable[[Sequence[str | int | None]], tuple[bytes, ...] | None],
        max_bytes: int,
    ) -> Output | None: ...
