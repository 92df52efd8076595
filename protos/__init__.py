"""The contract: proto files, their generator and the code generated from them."""
