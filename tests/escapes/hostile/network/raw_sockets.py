# what: Opens raw, packet and ping sockets of the internet families.
# expect: contained
# uses: attempts
for family, name in ((2, "inet"), (10, "inet6")):
    for kind, protocol, label in ((3, 1, "raw icmp"), (3, 255, "raw any"), (10, 0, "packet"), (2, 1, "ping"),
                                  (3, 6, "raw tcp"), (5, 132, "sctp"), (1, 132, "sctp stream"), (6, 33, "dccp"),
                                  (2, 136, "udp-lite"), (1, 262, "mptcp")):
        attempts.refused(f"{name} {label}", raw(41, family, kind, protocol),
                         also=("EPROTONOSUPPORT", "ESOCKTNOSUPPORT", "EINVAL"))
result = attempts.result()
