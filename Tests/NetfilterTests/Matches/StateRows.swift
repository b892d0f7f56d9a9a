import Netfilter
import Testing

@Suite struct StateRows {
  @Test(arguments: [
    Row(.ipv4, "-m state --state NEW", wire: zeros(146) + [1, 32, 0, 0, 8] + zeros(13)),
    Row(
      .ipv4, "-m state ! --state INVALID,NEW,RELATED,ESTABLISHED,UNTRACKED",
      wire: zeros(146) + [1, 32, 1, 0, 15, 1] + zeros(12)),
    Row(
      .ipv6, "-m state --state est",
      prints: "-m state --state ESTABLISHED",
      wire: zeros(146) + [1, 32, 0, 0, 2] + zeros(13)),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m state --state SNAT", refused: "--state: 'SNAT' is not one of its values"),
    Row(.ipv4, "-m state", refused: "state needs --state INVALID,NEW,RELATED,ESTABLISHED,UNTRACKED"),
    Row(.ipv4, "-m state --state NEW,", refused: "--state: a word is missing between the commas"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
