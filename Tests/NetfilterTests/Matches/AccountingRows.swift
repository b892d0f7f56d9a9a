import Netfilter
import Testing

@Suite struct AccountingRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m nfacct --nfacct-name test", prints: "-m nfacct --nfacct-name  test",
      wire: [116, 101, 115, 116] + zeros(36), lists: "nfacct-name  test"),
    Row(
      .ipv6, "-m nfacct --nfacct-name \"my acct\"", prints: "-m nfacct --nfacct-name  \"my acct\"",
      wire: [109, 121, 32, 97, 99, 99, 116] + zeros(33), lists: "nfacct-name  \"my acct\""),
    Row(
      .ipv4, "-m nfacct --nfacct-name abcdefghijklmnopqrstuvwxyzabcde",
      prints: "-m nfacct --nfacct-name  abcdefghijklmnopqrstuvwxyzabcde",
      wire: [
        97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119,
        120, 121, 122, 97, 98, 99, 100, 101,
      ] + zeros(9)),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m nfacct --nfacct-name test", .depends(on: "the quota of the counter"))
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m nfacct --nfacct-name \"\"", refused: "--nfacct-name: a name is 1 to 31 bytes in one line"),
    Row(.ipv4, "-m nfacct", refused: "nfacct needs --nfacct-name TEXT"),
  ])
  func refused(_ row: Row) throws { try row.check() }

  /// iptables takes these, and means something else.
  @Test(arguments: [
    Row(
      .ipv4, "-m nfacct --nfacct-name abcdefghijklmnopqrstuvwxyzabcdeTEST",
      refused: "--nfacct-name: the text has 35 bytes, at most 31 fit")
  ])
  func misunderstood(_ row: Row) throws { try row.check() }
}
