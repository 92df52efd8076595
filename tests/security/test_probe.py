import socket
import pytest
from tests.fixtures.forgeries import good_claims, signed
def test_probe(front_door, world, token_mint):
    header = {"alg": "EdDSA", "typ": "JWT", "kid": token_mint.kid}
    token = signed(token_mint, header, good_claims("user"))
    host, port = front_door.gateway.target.split(":")
    H = [b"qg$: x", b"x-a: caf\xc3\xa9", b"x-a: \xff\xfe", b"x-a: a\tb", b"x-bin: !!!", b"x-bin: \xff", b"x-bin: aGk", b"x-bin: aGk=", b"x-bin: a,b", b"grpc-encoding: zstd", b"grpc-encoding: gzip", b"grpc-encoding: \xff",
      b"grpc-accept-encoding: \xff", b"grpc-accept-encoding: nothing", b"grpc-trace-bin: xx!", b"grpc-tags-bin: ---", b"grpc-status: 7", b"grpc-message: hi", b"grpc-previous-rpc-attempts: many", b"grpc-retry-pushback-ms: x",
      b"grpc-timeout: 0n", b"grpc-timeout: 1n", b"te: gzip", b"te: trailers, deflate", b"content-encoding: br", b"user-agent: caf\xc3\xa9", b"cookie: a=\xc3\xa9", b"referer: http://x/\xe9", b"x-empty:", b"grpc-internal-encoding-request: gzip", b"lb-token: x", b"lb-cost-bin: x", b"x-endpoint-load-metrics-bin: !", b"grpc-server-stats-bin: !", b"grpc-lb-client-stats: x", b"host: evil", b"accept: \xff", b"accept-encoding: \xff", b"traceparent: \xff", b"tracestate: caf\xc3\xa9", b"x-envoy-peer-metadata: \xff", b"content-length: 0", b"expect: 100-continue", b"upgrade: h2c\r\nconnection: upgrade", b"upgrade: websocket\r\nconnection: upgrade", b"authorization-bin: aa", b"grpc-foo: bar", b"x-http-method-override: DELETE", b"x-original-url: /v1/users", b":path: /x", b":authority: x", b"x-forwarded-for: \xff", b"x-forwarded-proto: gopher", b"x-forwarded-host: evil", b"x-request-id: \xff", b"transfer-encoding: chunked", b"transfer-encoding: gzip", b"accept-language: \xc3"]
    out=[]
    for h in H:
        s = socket.create_connection((host, int(port)), timeout=10)
        hosth = b"" if h.startswith(b"host") else b"host: x\r\n"
        s.sendall(b"GET /v1/users HTTP/1.1\r\n" + hosth + b"connection: close\r\nauthorization: Bearer "+token.encode()+b"\r\n"+h+b"\r\n\r\n")
        if h.startswith(b"transfer-encoding: chunked"): s.sendall(b"0\r\n\r\n")
        data=b""
        try:
            while True:
                c=s.recv(65536)
                if not c: break
                data+=c
        except Exception as e: data+=repr(e).encode()
        head,_,body=data.partition(b"\r\n\r\n")
        out.append((h, head.split(b"\r\n")[0][9:], body[:140] if b" 200" not in head[:20] else b""))
    print()
    for o in out: print(o)
    assert 0
