import Testing

@testable import Netfilter

@Suite struct RoutingHeaderRows {
  /// A packet with a header of type 0, through `::1` and so on, of which two are left.
  private static func routed(_ addresses: [UInt8], reserved: UInt8 = 0) -> [UInt8] {
    [0x60] + zeros(5) + [43] + zeros(33) + [6, UInt8(2 * addresses.count), 0, 2, 0, 0, 0, reserved]
      + addresses.flatMap { zeros(15) + [$0] }
  }

  @Test(arguments: [
    Row(
      .ipv6, "-m rt", wire: zeros(8) + [255, 255, 255, 255] + zeros(268),
      lists: "rt"),
    Row(
      .ipv6, "-m rt --rt-type 0 --rt-segsleft 1:23 --rt-len 42 --rt-0-res",
      wire: zeros(4) + [1, 0, 0, 0, 23, 0, 0, 0, 42, 0, 0, 0, 15] + zeros(263),
      lists: "rt type:0 segslefts:1:23 length:42 reserved"),
    Row(
      .ipv6, "-m rt ! --rt-type 1 ! --rt-segsleft 12:23 ! --rt-len 42",
      wire: [1, 0, 0, 0, 12, 0, 0, 0, 23, 0, 0, 0, 42, 0, 0, 0, 7, 7] + zeros(262),
      lists: "rt type:!1 segslefts:!12:23 length:!42"),
    Row(.ipv6, "-m rt --rt-segsleft 4:3", wire: zeros(4) + [4, 0, 0, 0, 3] + zeros(7) + [2] + zeros(263)),
    Row(
      .ipv6, "-m rt --rt-segsleft :", prints: "-m rt",
      wire: zeros(8) + [255, 255, 255, 255] + zeros(4) + [2] + zeros(263),
      lists: "rt"),
    Row(
      .ipv6, "-m rt ! --rt-segsleft :", prints: "-m rt ! --rt-segsleft 0:4294967295",
      wire: zeros(8) + [255, 255, 255, 255] + zeros(4) + [2, 2] + zeros(262),
      lists: "rt segslefts:!0:4294967295"),
    Row(
      .ipv6, "-m rt --rt-segsleft 7", wire: zeros(4) + [7, 0, 0, 0, 7] + zeros(7) + [2] + zeros(263),
      lists: "rt segsleft:7"),
    Row(
      .ipv6, "-m rt --rt-type 0 --rt-0-addrs ::1,2001:db8::2",
      wire: zeros(8) + [255, 255, 255, 255] + zeros(4) + [17] + zeros(18) + [1, 32, 1, 13, 184] + zeros(11) + [2]
        + zeros(224) + [2, 0, 0, 0],
      lists: "rt type:0 0-addrs ::1,2001:db8::2"),
    Row(
      .ipv6, "-m rt --rt-type 0 --rt-0-res --rt-0-addrs ::1 --rt-0-not-strict",
      wire: zeros(8) + [255, 255, 255, 255] + zeros(4) + [57] + zeros(18) + [1] + zeros(240) + [1, 0, 0, 0],
      lists: "rt type:0 reserved 0-addrs ::1 0-not-strict"),
    Row(
      .ipv6, "-m rt --rt-type 4294967295",
      wire: [255, 255, 255, 255] + zeros(4) + [255, 255, 255, 255] + zeros(4) + [1] + zeros(263),
      lists: "rt type:-1"),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv6, "-m rt", .yes) { $0.bytes = routed([1, 2]) },
    PacketRow(.ipv6, "-m rt", .no) { $0.bytes = [0x60] + zeros(5) + [6] + zeros(53) },
    PacketRow(.ipv6, "-m rt ! --rt-type 3", .no) { $0.bytes = [0x60] + zeros(5) + [6] + zeros(53) },
    PacketRow(.ipv6, "-m rt ! --rt-type 3", .depends(on: "the packet's bytes")),
    PacketRow(.ipv6, "-m rt --rt-type 0 --rt-segsleft 1:2 --rt-len 40", .yes) { $0.bytes = routed([1, 2]) },
    PacketRow(.ipv6, "-m rt --rt-type 2", .no) { $0.bytes = routed([1, 2]) },
    PacketRow(.ipv6, "-m rt ! --rt-type 2 ! --rt-segsleft 3 ! --rt-len 8", .yes) { $0.bytes = routed([1, 2]) },
    PacketRow(.ipv6, "-m rt ! --rt-segsleft :", .no) { $0.bytes = routed([1, 2]) },
    PacketRow(.ipv6, "-m rt --rt-type 0 --rt-0-res", .yes) { $0.bytes = routed([1, 2]) },
    PacketRow(.ipv6, "-m rt --rt-type 0 --rt-0-res", .no) { $0.bytes = routed([1, 2], reserved: 1) },
    PacketRow(.ipv6, "-m rt --rt-type 0 --rt-0-addrs ::1,::2", .yes) { $0.bytes = routed([1, 2]) },
    PacketRow(.ipv6, "-m rt --rt-type 0 --rt-0-addrs ::1", .no) { $0.bytes = routed([1, 2]) },
    PacketRow(.ipv6, "-m rt --rt-type 0 --rt-0-addrs ::1,::2,::3", .no) { $0.bytes = routed([1, 2]) },
    PacketRow(.ipv6, "-m rt --rt-type 0 --rt-0-addrs ::1,::3 --rt-0-not-strict", .yes) {
      $0.bytes = routed([1, 2, 3])
    },
    PacketRow(.ipv6, "-m rt --rt-type 0 --rt-0-addrs ::3,::1 --rt-0-not-strict", .no) {
      $0.bytes = routed([1, 2, 3])
    },
    PacketRow(.ipv6, "-m rt", .broken) { $0.bytes = routed([1, 2]).dropLast() },
    PacketRow(.ipv6, "-m rt", .broken) { $0.bytes = Array(routed([1, 2]).prefix(43)) },
    PacketRow(.ipv6, "-m rt", .no) {
      $0.bytes = [0x60] + zeros(5) + [44] + zeros(33) + [43, 0, 1, 0] + zeros(44)
      $0.isLaterFragment = true
    },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv6, "-m rt --rt-0-res", refused: "--rt-0-res: only headers of type 0 have it"),
    Row(.ipv6, "-m rt --rt-0-res --rt-type 0", refused: "--rt-0-res: only headers of type 0 have it"),
    Row(.ipv6, "-m rt ! --rt-type 0 --rt-0-res", refused: "--rt-0-res: only headers of type 0 have it"),
    Row(.ipv6, "-m rt --rt-type 1 --rt-0-addrs ::1", refused: "--rt-0-addrs: only headers of type 0 have it"),
    Row(
      .ipv6, "-m rt --rt-type 0 --rt-0-not-strict", refused: "--rt-0-not-strict: needs --rt-0-addrs ADDRESS before it"),
    Row(.ipv6, "-m rt --rt-type 0 --rt-0-addrs ::1,", refused: "--rt-0-addrs: '' is not an IPv6 address"),
    Row(
      .ipv6, "-m rt --rt-type 0 --rt-0-addrs ::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1",
      refused: "--rt-0-addrs: 17 addresses, at most 16 fit"),
    Row(.ipv6, "-m rt --rt-len 4294967296", refused: "--rt-len: '4294967296' is not a number from 0 to 4294967295"),
    Row(.ipv6, "-m rt --rt-segsleft 1:2:3", refused: "--rt-segsleft: '2:3' is not a number from 0 to 4294967295"),
    Row(.ipv4, "-m rt", refused: "match 'rt' is for IPv6 only"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
