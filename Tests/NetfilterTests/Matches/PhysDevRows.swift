import Netfilter
import Testing

@Suite struct PhysDevRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m physdev --physdev-in lo",
      wire: [108, 111] + zeros(14) + [255, 255, 255] + zeros(46) + [1]),
    Row(
      .ipv4, "-m physdev --physdev-in +",
      wire: [43] + zeros(64) + [1]),
    Row(
      .ipv4, "-m physdev --physdev-out eth+",
      wire: zeros(32) + [101, 116, 104, 43] + zeros(12) + [255, 255, 255] + zeros(14) + [2],
      lists: "PHYSDEV match --physdev-out eth+"),
    Row(
      .ipv4, "-m physdev ! --physdev-is-bridged --physdev-out lo",
      prints: "-m physdev --physdev-out lo ! --physdev-is-bridged",
      wire: zeros(32) + [108, 111] + zeros(14) + [255, 255, 255] + zeros(13) + [4, 6],
      lists: "PHYSDEV match --physdev-out lo ! --physdev-is-bridged"),
    Row(
      .ipv4, "-m physdev ! --physdev-is-in ! --physdev-is-out ! --physdev-is-bridged",
      wire: zeros(64) + [28, 28],
      lists: "PHYSDEV match ! --physdev-is-in ! --physdev-is-out ! --physdev-is-bridged"),
    Row(
      .ipv4, "-m physdev ! --physdev-in eth0 ! --physdev-out eth1 --physdev-is-bridged --physdev-is-out",
      prints: "-m physdev ! --physdev-in eth0 --physdev-is-out ! --physdev-out eth1 --physdev-is-bridged",
      wire: [101, 116, 104, 48] + zeros(12) + [255, 255, 255, 255, 255] + zeros(11) + [101, 116, 104, 49] + zeros(12)
        + [255, 255, 255, 255, 255] + zeros(11) + [3, 23]),
    Row(
      .ipv4, "-m physdev --physdev-out lo --physdev-is-bridged", in: "OUTPUT",
      wire: zeros(32) + [108, 111] + zeros(14) + [255, 255, 255] + zeros(14) + [6]),
    Row(
      .ipv6, "-m physdev ! --physdev-is-bridged", in: "OUTPUT",
      wire: zeros(64) + [4, 4]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m physdev --physdev-in eth0", .depends(on: "the ports of the bridge")),
    PacketRow(.ipv6, "-m physdev ! --physdev-is-bridged", .depends(on: "the ports of the bridge")) {
      $0.isLaterFragment = true
    },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m physdev", refused: "physdev needs at least one option"),
    Row(.ipv4, "-m physdev --physdev-in \"\"", refused: "--physdev-in: no interface can have the name ''"),
    Row(
      .ipv4, "-m physdev --physdev-in 1234567890123456",
      refused: "--physdev-in: no interface can have the name '1234567890123456'"),
    Row(.ipv4, "-m physdev --physdev-out \"a b\"", refused: "--physdev-out: no interface can have the name 'a b'"),
    Row(
      .ipv4, "-m physdev --physdev-out lo", in: "OUTPUT", refused: "physdev with these options cannot be used in OUTPUT"
    ),
    Row(
      .ipv4, "-m physdev --physdev-is-out ! --physdev-is-bridged", in: "OUTPUT",
      refused: "physdev with these options cannot be used in OUTPUT"),
  ])
  func refused(_ row: Row) throws { try row.check() }

  /// What no option says stays as it came.
  @Test(arguments: [
    zeros(66),
    [108, 111] + zeros(14) + [255, 0, 255] + zeros(46) + [1],  // mask of no name
  ])
  func foreignBytesStayOpaque(_ bytes: [UInt8]) {
    let match = Registry.standard.decodeMatch(
      kernelName: "physdev", revision: 0, family: .ipv4, payload: bytes.span.bytes)
    #expect((match as? OpaqueMatch)?.opaque.payload == bytes)
  }
}
