import Testing

@testable import Netfilter

@Suite struct MobilityHeaderRows {
  private static func message(_ type: UInt8, next: UInt8 = 59) -> [UInt8] {
    [0x60] + zeros(5) + [135] + zeros(33) + [next, 0, type] + zeros(3)
  }

  @Test(arguments: [
    Row(
      .ipv6, "-p mobility-header -m mh", wire: [0, 255, 0],
      lists: "mh"),
    Row(
      .ipv6, "-p mobility-header -m mh --mh-type 1", wire: [1, 1, 0],
      lists: Listing("mh 1", named: "mh home-test-init")),
    Row(
      .ipv6, "-p mobility-header -m mh ! --mh-type 4:123", wire: [4, 123, 1],
      lists: Listing("mh !4:123", named: "mh !careof-test:123")),
    Row(
      .ipv6, "-p mobility-header -m mh --mh-type binding-refresh-request:Home-Test",
      prints: "-p mobility-header -m mh --mh-type 0:3", wire: [0, 3, 0]),
    Row(
      .ipv6, "-p mh --mh-type home", prints: "-p mobility-header -m mh --mh-type 1", wire: [1, 1, 0]),
    Row(
      .ipv6, "-p mobility-header -m mh --mh-type b", prints: "-p mobility-header -m mh --mh-type 0", wire: [0, 0, 0]),
    Row(
      .ipv6, "-p mobility-header -m mh --mh-type be", prints: "-p mobility-header -m mh --mh-type 7", wire: [7, 7, 0]),
    Row(.ipv6, "-p mh --mh-type cot:", prints: "-p mobility-header -m mh --mh-type 4:255", wire: [4, 255, 0]),
    Row(.ipv6, "-p mobility-header -m mh --mh-type :", prints: "-p mobility-header -m mh", wire: [0, 255, 0]),
    Row(
      .ipv6, "-p mobility-header -m mh ! --mh-type :", prints: "-p mobility-header -m mh ! --mh-type 0:255",
      wire: [0, 255, 1]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv6, "-p mh -m mh --mh-type 4:6", .yes) { $0.bytes = message(5) },
    PacketRow(.ipv6, "-p mh -m mh --mh-type 4", .no) { $0.bytes = message(5) },
    PacketRow(.ipv6, "-p mh -m mh ! --mh-type 4", .yes) { $0.bytes = message(5) },
    PacketRow(.ipv6, "-p mh -m mh", .yes),
    PacketRow(.ipv6, "-p mh -m mh ! --mh-type 4", .depends(on: "the packet's bytes")),
    PacketRow(.ipv6, "-p mh -m mh ! --mh-type 4", .no) {
      $0.bytes = message(5)
      $0.isLaterFragment = true
    },
    PacketRow(.ipv6, "-p mh -m mh", .broken) { $0.bytes = message(5, next: 6) },
    PacketRow(.ipv6, "-p mh -m mh ! --mh-type 4", .broken) { $0.bytes = message(5).dropLast() },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv6, "-p mobility-header -m mh --mh-type 4:3", refused: "--mh-type: the range '4:3' runs backwards"),
    Row(
      .ipv6, "-p mobility-header -m mh --mh-type 256",
      refused: "--mh-type: '256' is neither a number up to 255 nor a message"),
    Row(
      .ipv6, "-p mobility-header -m mh --mh-type wrong",
      refused: "--mh-type: 'wrong' is neither a number up to 255 nor a message"),
    Row(.ipv6, "-m mh", refused: "mh needs -p mobility-header"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
