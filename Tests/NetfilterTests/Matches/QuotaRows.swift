import Netfilter
import Testing

@Suite struct QuotaRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m quota --quota 0",
      wire: zeros(24),
      lists: "quota: 0 bytes"),
    Row(
      .ipv4, "-m quota ! --quota 18446744073709551615",
      wire: [1] + zeros(7) + ones(8) + zeros(8),
      lists: "quota: 18446744073709551615 bytes"),
    Row(
      .ipv6, "-m quota --quota 0x10", prints: "-m quota --quota 16",
      wire: zeros(8) + [16] + zeros(15)),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m quota --quota 40", .depends(on: "how many bytes came before")),
    PacketRow(.ipv6, "-m quota ! --quota 40", .depends(on: "how many bytes came before")) { $0.length = 40 },
    PacketRow(.ipv4, "-m quota --quota 40", .no) {
      $0.length = 41
      $0.isLaterFragment = true
    },
    PacketRow(.ipv4, "-m quota ! --quota 40", .yes) { $0.length = 41 },
    PacketRow(.ipv4, "-m quota --quota 0", .no),
    PacketRow(.ipv4, "-m quota ! --quota 0", .yes),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m quota", refused: "quota needs --quota N"),
    Row(
      .ipv4, "-m quota --quota 18446744073709551616",
      refused: "--quota: '18446744073709551616' is not a number from 0 to 18446744073709551615"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
