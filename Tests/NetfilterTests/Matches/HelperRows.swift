import Netfilter
import Testing

@Suite struct HelperRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m helper --helper ftp",
      wire: [0, 0, 0, 0, 102, 116, 112] + zeros(29), lists: "helper match \"ftp\""),
    Row(
      .ipv4, "-m helper --helper \"\"",
      wire: zeros(36)),
    Row(
      .ipv4, "-m helper ! --helper \"a b\"",
      wire: [1, 0, 0, 0, 97, 32, 98] + zeros(29), lists: "helper match ! \"a b\""),
    Row(
      .ipv6, "-m helper --helper 12345678901234567890123456789",
      wire: [
        0, 0, 0, 0, 49, 50, 51, 52, 53, 54, 55, 56, 57, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 48, 49, 50, 51, 52, 53,
        54, 55, 56, 57, 0, 0, 0,
      ]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m helper --helper ftp", .depends(on: "the helper that announced the connection")),
    PacketRow(.ipv4, "-m helper --helper ftp", .no) { $0.connection.state = .untracked },
    PacketRow(.ipv4, "-m helper ! --helper ftp", .yes) { ($0.connection.state, $0.connection.statuses) = (.new, []) },
    PacketRow(.ipv4, "-m helper --helper \"\"", .depends(on: "the helper that announced the connection")) {
      ($0.connection.state, $0.connection.statuses) = (.related, .expected)
    },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m helper", refused: "helper needs --helper TEXT"),
    Row(.ipv4, "-m helper --helper 123456789012345678901234567890", refused: "--helper: a name has at most 29 bytes"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
