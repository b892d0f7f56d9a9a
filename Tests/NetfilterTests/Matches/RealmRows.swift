import Netfilter
import Testing

@Suite struct RealmRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m realm --realm 0x1/0x2a", wire: [1, 0, 0, 0, 42] + zeros(7),
      lists: "realm 0x1/0x2a"),
    Row(
      .ipv4, "-m realm ! --realm 42", prints: "-m realm ! --realm example",
      wire: [42, 0, 0, 0, 255, 255, 255, 255, 1, 0, 0, 0],
      lists: Listing("! realm 0x2a", named: "! realm example")),
    Row(
      .ipv4, "-m realm --realm 1", in: "OUTPUT", prints: "-m realm --realm 0x1",
      wire: [1, 0, 0, 0, 255, 255, 255, 255] + zeros(4)),
    Row(.ipv4, "-m realm --realm 0", prints: "-m realm --realm 0x0", wire: zeros(4) + [255, 255, 255, 255] + zeros(4)),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m realm --realm 1", .depends(on: "the realm of the route")),
    PacketRow(.ipv4, "-m realm ! --realm 1/3", .depends(on: "the realm of the route")) { $0.isLaterFragment = true },
    PacketRow(.ipv4, "-m realm --realm 0x10/0xf", .no),
    PacketRow(.ipv4, "-m realm ! --realm 0x10/0xf", .yes),
    PacketRow(.ipv4, "-m realm --realm 0/0", .yes),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m realm --realm wrong", refused: "--realm: 'wrong' is neither a number nor a known name"),
    Row(.ipv4, "-m realm", refused: "realm needs --realm REALM[/MASK]"),
    Row(.ipv6, "-m realm --realm 1", refused: "match 'realm' is for IPv4 only"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
