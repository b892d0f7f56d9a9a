import Netfilter
import Testing

@Suite struct OSFingerprintRows {
  @Test(arguments: [
    Row(
      .ipv4, "-p tcp -m osf --genre linux", wire: [108, 105, 110, 117, 120] + zeros(27) + [5] + zeros(15),
      lists: "OS fingerprint match linux"),
    Row(
      .ipv4, "-p tcp -m osf ! --genre Linux --ttl 0 --log 0",
      wire: [76, 105, 110, 117, 120] + zeros(27) + [5, 0, 0, 0, 14] + zeros(11),
      lists: "OS fingerprint match ! Linux"),
    Row(
      .ipv4, "-p tcp -m osf --genre unknown --ttl 2 --log 1",
      wire: [117, 110, 107, 110, 111, 119, 110] + zeros(25) + [7, 0, 0, 0, 6, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-p tcp -m osf --genre Linux", .depends(on: "the fingerprints that are loaded")) {
      $0.tcpFlags = [.syn]
    },
    PacketRow(.ipv4, "-p tcp -m osf --genre Linux", .no) { $0.tcpFlags = [.ack] },
    PacketRow(.ipv4, "-p tcp -m osf ! --genre Linux", .no) { $0.tcpFlags = [.ack] },
    PacketRow(.ipv4, "-p tcp -m osf --genre Linux", .depends(on: "the TCP flags")),
    PacketRow(.ipv4, "-p tcp -m osf --genre Linux", .depends(on: "the packet's bytes")) { $0.isLaterFragment = true },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-p tcp -m osf --genre linux --ttl 3", refused: "--ttl: '3' is not a number from 0 to 2"),
    Row(.ipv4, "-p tcp -m osf --genre linux --log 3", refused: "--log: '3' is not a number from 0 to 2"),
    Row(.ipv4, "-m osf --genre linux", refused: "osf needs -p tcp"),
    Row(.ipv4, "-p tcp -m osf", refused: "osf needs --genre TEXT"),
    Row(.ipv4, "-p tcp -m osf --genre linux", in: "OUTPUT", refused: "osf cannot be used in OUTPUT"),
  ])
  func refused(_ row: Row) throws { try row.check() }

  /// iptables takes these, and means something else.
  @Test(arguments: [
    Row(
      .ipv4, "-p tcp -m osf --genre \"a b\"", refused: "a name of systems is a word without blanks"),
    Row(
      .ipv4, "-p tcp -m osf --genre abcdefghijklmnopqrstuvwxyzabcdef",
      refused: "--genre: the text has 32 bytes, at most 31 fit"),
  ])
  func misunderstood(_ row: Row) throws { try row.check() }
}
