"""Import-linter contracts of our own: lists of what is allowed, so that the unforeseen is caught.

The contracts that import-linter has name what is forbidden. A new dependency would slip through
those; it doesn't slip through these. Both look at direct imports only: layers follow chains.
"""

import sys
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from importlinter.domain.helpers import module_expressions_to_modules
from importlinter.domain.imports import ModuleExpression


class _AllowListContract(Contract):
    """What both kinds share: the set of imports that break the rule, and its rendering."""

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002, FBT001
        """Find the imports that no entry of the list allows."""
        broken = sorted(self._broken_imports(graph))
        lines = [
            f"{importer} -> {imported} (line {details['line_number']})"
            for importer, imported in broken
            for details in graph.get_import_details(importer=importer, imported=imported)
        ]
        return ContractCheck(kept=not broken, metadata={"lines": lines})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print a line an import."""
        for line in check.metadata["lines"]:
            output.print_error(f"- {line}")
        output.new_line()

    @abstractmethod
    def _broken_imports(self, graph: ImportGraph) -> Iterator[tuple[str, str]]: ...


class OnlyImports(_AllowListContract):
    """The modules import the standard library and what is allowed, nothing else.

    Options: `modules` and `allowed`, each a list of module expressions; packages count whole.
    """

    type_name = "only_imports"
    # import-linter replaces each field by what it parsed from the contract.
    modules: Any = fields.SetField(subfield=fields.ModuleExpressionField())
    allowed: Any = fields.SetField(subfield=fields.ModuleExpressionField(), required=False)

    def _broken_imports(self, graph: ImportGraph) -> Iterator[tuple[str, str]]:
        allowed = _matching(graph, self.allowed or ())
        for module in _matching(graph, self.modules):
            for imported in graph.find_modules_directly_imported_by(module):
                if imported not in allowed and imported not in sys.stdlib_module_names:
                    yield module, imported


class OnlyImportedBy(_AllowListContract):
    """The packages are imported by the listed importers, by nobody else.

    Options: `packages` and `importers`, each a list of module expressions; packages count whole.
    """

    type_name = "only_imported_by"
    packages: Any = fields.SetField(subfield=fields.ModuleExpressionField())
    importers: Any = fields.SetField(subfield=fields.ModuleExpressionField())

    def _broken_imports(self, graph: ImportGraph) -> Iterator[tuple[str, str]]:
        importers = _matching(graph, self.importers)
        for package in _matching(graph, self.packages):
            for importer in graph.find_modules_that_directly_import(package):
                if importer not in importers:
                    yield importer, package


def _matching(graph: ImportGraph, expressions: Iterable[ModuleExpression]) -> set[str]:
    """Return the modules that the expressions match, with all below them."""
    found: set[str] = set()
    for module in module_expressions_to_modules(graph, expressions):
        if module.name in graph.modules:
            found.add(module.name)
            if not graph.is_module_squashed(module.name):
                found |= graph.find_descendants(module.name)
    return found
