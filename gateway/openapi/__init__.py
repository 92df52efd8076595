"""The contract as an OpenAPI 3.1 document, for people and tools that speak REST."""

from gateway.openapi.document import document, document_bytes

__all__ = ["document", "document_bytes"]
