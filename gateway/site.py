"""Static pages, served by Envoy from memory: the contract as OpenAPI and a page to browse it."""

import gzip
import hashlib
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway import extensions as ext
from gateway.extensions import Config, header, reads

# Everything comes from here; Swagger UI sets styles from its code and draws with data URLs.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
BODY_BYTES_MAX = 4 * 1024 * 1024

_OWN = Path(__file__).parent / "docs_page"
_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "favicon-32x32.png": "image/png",
    # Whoever is given the script is given its licence.
    "LICENSE": "text/plain; charset=utf-8",
}
_YEAR_S = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Page:
    """A body that is served at a path."""

    path: str
    content: bytes
    content_type: str
    immutable: bool
    """Whether its path names its content, so that it may be kept for ever."""

    @property
    def digest(self) -> str:
        """What its ETag is made of."""
        return hashlib.sha256(self.content).hexdigest()[:16]

    @property
    def label(self) -> str:
        """Its name in metrics and logs."""
        return "/docs/*" if self.immutable else self.path

    @property
    def file_name(self) -> str:
        """The name of its file below the folder of static bodies."""
        return self.digest + Path(self.path).suffix


def pages(openapi: bytes) -> Sequence[Page]:
    """Return every page."""
    folder = _swagger_ui()
    assets = {name: (folder / name).read_bytes() for name in _ASSETS}
    script = (_OWN / "start.js").read_bytes()
    version = hashlib.sha256(script + b"".join(assets.values())).hexdigest()[:12]
    index = (_OWN / "index.html").read_text("utf-8").replace("VERSION", version)
    html, javascript = "text/html; charset=utf-8", "text/javascript; charset=utf-8"
    return [
        Page("/openapi.json", openapi, "application/json", immutable=False),
        Page("/docs/", index.encode(), html, immutable=False),
        Page(f"/docs/{version}/start.js", script, javascript, immutable=True),
        *(
            Page(f"/docs/{version}/{name}", content, _ASSETS[name], immutable=True)
            for name, content in assets.items()
        ),
    ]


def _swagger_ui() -> Path:
    # Found without importing it: the package is a Flask extension, and only its files are wanted.
    spec = importlib.util.find_spec("flask_swagger_ui")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("flask-swagger-ui is not installed: run `make venv`")
    return Path(spec.origin).parent / "dist"


def write(pages: Sequence[Page], folder: Path) -> None:
    """Write the bodies, plain and compressed."""
    folder.mkdir(parents=True, exist_ok=True)
    for page in pages:
        (folder / page.file_name).write_bytes(page.content)
        (folder / f"{page.file_name}.gz").write_bytes(gzip.compress(page.content, mtime=0))


def page_routes(pages: Sequence[Page], folder: Path) -> Iterator[Config]:
    """Yield the routes of the pages, and of the paths that lead to them."""
    for page in pages:
        known = {"name": "if-none-match", "string_match": {"contains": page.digest}}
        zipped = {"name": "accept-encoding", "string_match": {"contains": "gzip"}}
        body = folder / page.file_name
        yield _route(page, [known], {"status": 304}, [])
        encoding = [header("content-encoding", "gzip")]
        yield _route(page, [zipped], _body(body.with_name(f"{body.name}.gz")), encoding)
        yield _route(page, [], _body(body), [])
    for path in ("/", "/docs"):
        yield {
            "name": path,
            "match": {"path": path, "headers": [reads()]},
            "redirect": {"path_redirect": "/docs/", "response_code": "FOUND"},
            "typed_per_filter_config": _open(),
        }


def _route(page: Page, headers: list[Config], response: Config, added: list[Config]) -> Config:
    cache = f"public, max-age={_YEAR_S}, immutable" if page.immutable else "no-cache"
    return {
        "name": page.label,
        "match": {"path": page.path, "headers": [reads(), *headers]},
        "direct_response": response,
        "response_headers_to_add": [
            header("content-type", page.content_type),
            header("etag", f'W/"{page.digest}"'),
            header("cache-control", cache),
            header("vary", "accept-encoding"),
            header("content-security-policy", CONTENT_SECURITY_POLICY),
            header("x-content-type-options", "nosniff"),
            header("referrer-policy", "no-referrer"),
            *added,
        ],
        "typed_per_filter_config": _open(),
    }


def _open() -> Config:
    return {
        ext.JWT: ext.no_tokens(),
        ext.TRANSCODER: ext.off(),
    }


def _body(file: Path) -> Config:
    return {"status": 200, "body": {"filename": str(file)}}
