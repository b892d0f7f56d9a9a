import Netfilter
import Testing

@Suite struct ECNMatchRows {
  @Test(arguments: [
    Row(.ipv4, "-p tcp -m ecn --ecn-tcp-cwr", wire: [32, 0, 0, 0], lists: "ECN match CWR"),
    Row(
      .ipv6, "-p tcp -m ecn --ecn-tcp-ece --ecn-tcp-cwr --ecn-ip-ect 2", wire: [49, 0, 2, 0],
      lists: "ECN match ECE CWR ECT=2"),
    Row(
      .ipv4, "-p tcp -m ecn ! --ecn-tcp-ece ! --ecn-tcp-cwr ! --ecn-ip-ect 2", wire: [49, 49, 2, 0],
      lists: "ECN match !ECE !CWR !ECT=2"),
    Row(.ipv4, "-m ecn --ecn-ip-ect 0", wire: [1, 0, 0, 0]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m ecn --ecn-ip-ect 2", .yes) { $0.trafficClass = 0xfe },
    PacketRow(.ipv6, "-m ecn ! --ecn-ip-ect 2", .no) { $0.trafficClass = 0xfe },
    PacketRow(.ipv4, "-m ecn --ecn-ip-ect 2", .depends(on: "the traffic class")),
    PacketRow(.ipv4, "-p tcp -m ecn --ecn-tcp-ece", .no) { $0.tcpFlags = .syn },
    PacketRow(.ipv4, "-p tcp -m ecn ! --ecn-tcp-ece", .yes) { $0.tcpFlags = .syn },
    PacketRow(.ipv4, "-p tcp -m ecn --ecn-tcp-ece --ecn-tcp-cwr", .yes) { $0.tcpFlags = TCPFlags(rawValue: 0xc2) },
    PacketRow(.ipv4, "-p tcp -m ecn --ecn-tcp-cwr", .yes) { $0.bytes = ipv4Bytes(6, zeros(13) + [0x80] + zeros(6)) },
    PacketRow(.ipv4, "-p tcp -m ecn ! --ecn-tcp-cwr", .no) { $0.bytes = ipv4Bytes(6, zeros(19)) },
    PacketRow(.ipv4, "-p tcp -m ecn --ecn-tcp-cwr", .depends(on: "the TCP flags")),
    PacketRow(.ipv4, "-p tcp -m ecn --ecn-tcp-cwr", .depends(on: "the TCP flags")) {
      ($0.isLaterFragment, $0.tcpFlags) = (true, .syn)
    },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m ecn --ecn-tcp-cwr", refused: "--ecn-tcp-cwr: needs -p tcp"),
    Row(.ipv4, "! -p tcp -m ecn --ecn-tcp-ece", refused: "--ecn-tcp-ece: needs -p tcp"),
    Row(.ipv4, "-m ecn --ecn-ip-ect 4", refused: "--ecn-ip-ect: '4' is not a number from 0 to 3"),
    Row(.ipv4, "-m ecn", refused: "ecn needs --ecn-tcp-cwr, --ecn-tcp-ece or --ecn-ip-ect"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
