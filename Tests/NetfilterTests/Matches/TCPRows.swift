import Netfilter
import Testing

@Suite struct TCPRows {
  @Test(arguments: [
    Row(
      .ipv4, "-p tcp --dport 0x16:040", prints: "-p tcp -m tcp --dport 22:32",
      wire: [0, 0, 255, 255, 22, 0, 32, 0, 0, 0, 0, 0]),
    Row(
      .ipv4, "-p tcp -m tcp --sport 1 ! --dport 65535", wire: [1, 0, 1, 0, 255, 255, 255, 255, 0, 0, 0, 2],
      lists: "tcp spt:1 dpt:!65535"),
    Row(
      .ipv4, "-p tcp -m tcp ! --sport 1:1023 --dport 1024:",
      prints: "-p tcp -m tcp ! --sport 1:1023 --dport 1024:65535",
      wire: [1, 0, 255, 3, 0, 4, 255, 255, 0, 0, 0, 1], lists: "tcp spts:!1:1023 dpts:1024:65535"),
    Row(
      .ipv4, "-p tcp --syn",
      prints: "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN",
      wire: [0, 0, 255, 255, 0, 0, 255, 255, 0, 23, 2, 0]),
    Row(
      .ipv4, "-p tcp ! --syn",
      prints: "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN",
      wire: [0, 0, 255, 255, 0, 0, 255, 255, 0, 23, 2, 4],
      lists: Listing("tcp flags:!0x17/0x02", named: "tcp flags:!FIN,SYN,RST,ACK/SYN")),
    Row(
      .ipv4, "-p tcp --tcp-flags ALL NONE",
      prints: "-p tcp -m tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE",
      wire: [0, 0, 255, 255, 0, 0, 255, 255, 0, 63, 0, 0]),
    Row(
      .ipv4, "-p tcp --tcp-flags NONE NONE",
      prints: "-p tcp -m tcp",
      wire: [0, 0, 255, 255, 0, 0, 255, 255, 0, 0, 0, 0]),
    Row(
      .ipv4, "-p tcp ! --tcp-flags NONE NONE",
      prints: "-p tcp -m tcp ! --tcp-flags NONE NONE",
      wire: [0, 0, 255, 255, 0, 0, 255, 255, 0, 0, 0, 4]),
    Row(
      .ipv4, "-p tcp --tcp-flags fin,SYN rst",
      prints: "-p tcp -m tcp --tcp-flags FIN,SYN RST",
      wire: [0, 0, 255, 255, 0, 0, 255, 255, 0, 3, 4, 0]),
    Row(
      .ipv4, "-p tcp --tcp-option 5",
      prints: "-p tcp -m tcp --tcp-option 5",
      wire: [0, 0, 255, 255, 0, 0, 255, 255, 5, 0, 0, 0]),
    Row(
      .ipv4, "-p tcp ! --tcp-option 255",
      prints: "-p tcp -m tcp ! --tcp-option 255",
      wire: [0, 0, 255, 255, 0, 0, 255, 255, 255, 0, 0, 8]),
    Row(.ipv4, "-p tcp --sport :", prints: "-p tcp -m tcp", wire: [0, 0, 255, 255, 0, 0, 255, 255, 0, 0, 0, 0]),
    Row(
      .ipv4, "-p tcp ! --sport 0:65535",
      prints: "-p tcp -m tcp ! --sport 0:65535",
      wire: [0, 0, 255, 255, 0, 0, 255, 255, 0, 0, 0, 1]),
    Row(
      .ipv4, "-p tcp --dport ssh",
      prints: "-p tcp -m tcp --dport 22",
      wire: [0, 0, 255, 255, 22, 0, 22] + zeros(5), lists: Listing("tcp dpt:22", named: "tcp dpt:ssh")),
    Row(.ipv4, "-p tcp -m tcp", wire: [0, 0, 255, 255, 0, 0, 255, 255, 0, 0, 0, 0]),
    Row(.ipv4, "-p tcp ! --sport :80 --dport 5", for: .nfTables, prints: "-p tcp -m tcp --sport 81:65535 --dport 5"),
    Row(
      .ipv4, "-p tcp ! --sport :80 --tcp-option 5", for: .nfTables,
      prints: "-p tcp -m tcp ! --sport 0:80 --tcp-option 5"),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-p tcp --dport 22 --sport 1024:", .yes),
    PacketRow(.ipv6, "-p tcp ! --dport 22", .no),
    PacketRow(.ipv4, "-p tcp --dport 22", .depends(on: "the destination port")) { $0.destinationPort = nil },
    PacketRow(.ipv4, "-p tcp --dport 23 --syn", .no),
    PacketRow(.ipv4, "-p tcp --dport 22 --syn", .depends(on: "the TCP flags")),
    PacketRow(.ipv4, "-p tcp --syn", .yes) { $0.tcpFlags = [.syn, .urg] },
    PacketRow(.ipv4, "-p tcp ! --syn", .yes) { $0.tcpFlags = [.syn, .ack] },
    PacketRow(.ipv4, "-p tcp --tcp-option 2", .yes) { $0.tcpOptions = [2, 4] },
    PacketRow(.ipv4, "-p tcp -m tcp", .no) { $0.isLaterFragment = true },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-p tcp --tcp-option 0", refused: "--tcp-option: '0' is not a number from 1 to 255"),
    Row(.ipv4, "-p tcp --sport 5:4", refused: "--source-port: the range '5:4' runs backwards"),
    Row(.ipv4, "-p tcp --sport 65536", refused: "--source-port: 65536 is not a port"),
    Row(.ipv4, "-m tcp --dport 1", refused: "tcp needs -p tcp"),
    Row(.ipv4, "-p tcp --dport 1 --dport 2", refused: "--destination-port is given twice"),
    Row(.ipv4, "-p tcp --tcp-flags BAD SYN", refused: "'BAD' is not a TCP flag"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
