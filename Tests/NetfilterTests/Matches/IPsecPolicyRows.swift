import Netfilter
import Testing

@Suite struct IPsecPolicyRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m policy --dir in --pol none",
      wire: zeros(304) + [5, 0, 0, 0], lists: "policy match dir in pol none"),
    Row(
      .ipv4, "-m policy --dir in", prints: "-m policy --dir in --pol ipsec",
      wire: zeros(304) + [1, 0, 1, 0]),
    Row(
      .ipv4,
      "-m policy --dir in --pol ipsec --strict --reqid 1 ! --spi 0x10 ! --proto esp --mode tunnel ! --tunnel-dst 192.0.2.0/24 --tunnel-src 10.0.0.1/8 --next ! --mode transport --tunnel-dst 1.2.3.4 --next --reqid 0 --next --mode transport",
      wire: [10, 0, 0, 1] + zeros(12) + [255] + zeros(15) + [192, 0, 2] + zeros(13) + [255, 255, 255] + zeros(13) + [
        16, 0, 0, 0, 1, 0, 0, 0, 50, 1, 63, 22,
      ] + zeros(32) + [1, 2, 3, 4] + zeros(12) + ones(16) + zeros(10) + [10, 8] + zeros(74) + [32] + zeros(75) + [
        8, 0, 9, 0, 4, 0,
      ],
      lists: Listing(
        "policy match dir in pol ipsec strict [0] reqid 1 ! spi 0x10 ! proto 50 mode tunnel ! tunnel-dst 192.0.2.0/24 tunnel-src 10.0.0.1/8 [1] ! mode transport tunnel-dst 1.2.3.4 [2] reqid 0 [3] mode transport",
        named:
          "policy match dir in pol ipsec strict [0] reqid 1 ! spi 0x10 ! proto esp mode tunnel ! tunnel-dst 192.0.2.0/24 tunnel-src 10.0.0.1/8 [1] ! mode transport tunnel-dst 1.2.3.4 [2] reqid 0 [3] mode transport"
      )),
    Row(
      .ipv4, "-m policy --dir out --pol ipsec ! --mode tunnel",
      wire: zeros(73) + [1, 8, 8] + zeros(228) + [2, 0, 1, 0]),
    Row(
      .ipv4, "-m policy --dir in --reqid 1 --strict", prints: "-m policy --dir in --pol ipsec --strict --reqid 1",
      wire: zeros(68) + [1, 0, 0, 0, 0, 0, 32] + zeros(229) + [9, 0, 1, 0],
      lists: "policy match dir in pol ipsec strict reqid 1"),
    Row(
      .ipv4, "-m policy --dir in --pol ipsec --proto 51", prints: "-m policy --dir in --pol ipsec --proto ah",
      wire: zeros(72) + [51, 0, 4] + zeros(229) + [1, 0, 1, 0]),
    Row(
      .ipv4, "-m policy --dir out --pol ipsec --proto ipcomp", in: "OUTPUT",
      wire: zeros(72) + [108, 0, 4] + zeros(229) + [2, 0, 1, 0],
      lists: Listing("policy match dir out pol ipsec proto 108", named: "policy match dir out pol ipsec proto ipcomp")),
    Row(
      .ipv6, "-m policy --dir in --pol ipsec --mode tunnel --tunnel-src 2001:db8::1/64",
      wire: [32, 1, 13, 184] + zeros(11) + [1] + ones(8) + zeros(49) + [1, 9] + zeros(229) + [1, 0, 1, 0]),
    Row(
      .ipv6, "-m policy --dir in --pol ipsec --mode tunnel --tunnel-src 2001:db8::1 --tunnel-dst ::/0",
      prints: "-m policy --dir in --pol ipsec --mode tunnel --tunnel-dst ::/0 --tunnel-src 2001:db8::1",
      wire: [32, 1, 13, 184] + zeros(11) + [1] + ones(16) + zeros(41) + [1, 11] + zeros(229) + [1, 0, 1, 0],
      lists: "policy match dir in pol ipsec mode tunnel tunnel-dst ::/0 tunnel-src 2001:db8::1"),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m policy --dir in --pol none", .depends(on: "what IPsec did to the packet"))
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m policy --pol ipsec", refused: "policy needs --dir in|out"),
    Row(.ipv4, "-m policy --dir forward", refused: "--dir: 'forward' is not a direction"),
    Row(.ipv4, "-m policy --dir in --pol any", refused: "--pol: 'any' is not a policy"),
    Row(.ipv4, "-m policy --dir in --pol none --reqid 1", refused: "--reqid: --pol none leaves nothing to describe"),
    Row(.ipv4, "-m policy --dir in --pol none --strict", refused: "--strict: --pol none leaves nothing to describe"),
    Row(.ipv4, "-m policy --dir in --pol ipsec --strict", refused: "--strict: each transformation needs one of"),
    Row(
      .ipv4, "-m policy --dir in --pol ipsec --strict --reqid 1 --next",
      refused: "--strict: each transformation needs one of"),
    Row(.ipv4, "-m policy --dir in --pol ipsec --reqid 1 --next --reqid 3", refused: "--next: needs --strict"),
    Row(.ipv4, "-m policy --dir in --pol ipsec --proto tcp", refused: "--proto: 'tcp' is not a protocol of IPsec"),
    Row(.ipv4, "-m policy --dir in --pol ipsec --mode beet", refused: "--mode: 'beet' is not a mode of IPsec"),
    Row(
      .ipv4, "-m policy --dir in --pol ipsec --tunnel-src 1.2.3.4",
      refused: "--tunnel-src: only tunnels have such an address"),
    Row(
      .ipv4, "-m policy --dir in --pol ipsec --mode transport --tunnel-dst 1.2.3.4",
      refused: "--tunnel-dst: only tunnels have such an address"),
    Row(
      .ipv4, "-m policy --dir in --pol ipsec --reqid 1 --reqid 2",
      refused: "--reqid is given twice for one transformation"),
    Row(
      .ipv4,
      "-m policy --dir in --pol ipsec --strict --reqid 1 --next --reqid 2 --next --reqid 3 --next --reqid 4 --next",
      refused: "--next: a policy has at most 4 transformations"),
    Row(
      .ipv4, "-m policy --dir in --pol ipsec", in: "OUTPUT",
      refused: "policy with these options cannot be used in OUTPUT"),
    Row(
      .ipv4, "-m policy --dir out --pol ipsec", in: "INPUT",
      refused: "policy with these options cannot be used in INPUT"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
