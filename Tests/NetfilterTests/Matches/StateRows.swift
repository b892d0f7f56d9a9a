import Netfilter
import Testing

@Suite struct StateRows {
  @Test(arguments: [
    Row(.ipv4, "-m state --state NEW", wire: zeros(146) + [1, 32, 0, 0, 8] + zeros(13), lists: "state NEW"),
    Row(
      .ipv4, "-m state ! --state INVALID,NEW,RELATED,ESTABLISHED,UNTRACKED",
      wire: zeros(146) + [1, 32, 1, 0, 15, 1] + zeros(12),
      lists: "! state INVALID,NEW,RELATED,ESTABLISHED,UNTRACKED"),
    Row(
      .ipv6, "-m state --state est",
      prints: "-m state --state ESTABLISHED",
      wire: zeros(146) + [1, 32, 0, 0, 2] + zeros(13)),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m state --state RELATED,ESTABLISHED", .yes) { $0.connection.state = .established },
    PacketRow(.ipv6, "-m state --state RELATED,ESTABLISHED", .no) { $0.connection.state = .new },
    PacketRow(.ipv4, "-m state ! --state INVALID", .no) { $0.connection.state = .invalid },
    PacketRow(.ipv4, "-m state ! --state NEW", .yes) { $0.connection.state = .untracked },
    PacketRow(.ipv4, "-m state --state NEW", .depends(on: "the connection's state")),
    PacketRow(.ipv4, "-m state ! --state INVALID,NEW,RELATED,ESTABLISHED,UNTRACKED", .no),
    PacketRow(.ipv6, "-m state --state NEW", .yes) {
      $0.connection.state = .new
      $0.isLaterFragment = true
    },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m state --state SNAT", refused: "--state: 'SNAT' is not one of its values"),
    Row(.ipv4, "-m state", refused: "state needs --state INVALID,NEW,RELATED,ESTABLISHED,UNTRACKED"),
    Row(.ipv4, "-m state --state NEW,", refused: "--state: a word is missing between the commas"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
