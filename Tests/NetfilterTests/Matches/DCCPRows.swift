import Netfilter
import Testing

/// A request to port 258 with long sequence numbers and the options 0, 42 (of 2 bytes with its length) and 1.
private let dccpRequest: [UInt8] = [4, 0, 1, 2, 6, 0, 0, 0, 1] + zeros(11) + [0, 42, 2, 1]

@Suite struct DCCPRows {
  @Test(arguments: [
    Row(.ipv4, "-p dccp -m dccp --dport 70000:70001", prints: "-p dccp -m dccp --dport 4464:4465"),
    Row(.ipv4, "-p dccp -m dccp", wire: zeros(16), lists: "dccp"),
    Row(
      .ipv4, "-p dccp -m dccp --sport 1 ! --dport 65535", wire: [255, 255, 255, 255, 1, 0, 1, 0, 3, 0, 2] + zeros(5),
      lists: "dccp spt:1 dpt:!65535"),
    Row(
      .ipv6, "-p dccp -m dccp ! --sport 1024: --dport :",
      prints: "-p dccp -m dccp ! --sport 1024:65535 --dport 0:65535",
      wire: [0, 0, 255, 255, 0, 4, 255, 255, 3, 0, 1] + zeros(5), lists: "dccp spts:!1024:65535"),
    Row(.ipv4, "-p dccp -m dccp --sport 4:3", wire: zeros(4) + [4, 0, 3, 0, 1] + zeros(7), lists: "dccp spts:4:3"),
    Row(
      .ipv4, "-p dccp -m dccp --dccp-types REQUEST,response", prints: "-p dccp -m dccp --dccp-types REQUEST,RESPONSE",
      wire: zeros(8) + [4, 0, 0, 0, 3, 0, 0, 0], lists: Listing("dccp 0,1", named: "dccp REQUEST,RESPONSE")),
    Row(
      .ipv4,
      "-p dccp -m dccp ! --dccp-types REQUEST,RESPONSE,DATA,ACK,DATAACK,CLOSEREQ,CLOSE,RESET,SYNC,SYNCACK,INVALID",
      wire: zeros(8) + [4, 0, 4, 0, 255, 255, 0, 0],
      lists: Listing(
        "dccp ! 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
        named: "dccp ! REQUEST,RESPONSE,DATA,ACK,DATAACK,CLOSEREQ,CLOSE,RESET,SYNC,SYNCACK,INVALID")),
    Row(
      .ipv4, "-p dccp -m dccp ! --dccp-option 255", wire: zeros(8) + [8, 0, 8, 0, 0, 0, 255, 0],
      lists: "dccp option=!255"),
    Row(.ipv4, "-p dccp -m dccp --dccp-types INVALID --dccp-option 1", wire: zeros(8) + [12] + zeros(4) + [252, 1, 0]),
    Row(
      .ipv4, "-p dccp -m dccp --dccp-types REQUEST,,ACK", prints: "-p dccp -m dccp --dccp-types REQUEST,ACK",
      wire: zeros(8) + [4, 0, 0, 0, 9, 0, 0, 0]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-p dccp --sport 1024 ! --dport 23", .yes),
    PacketRow(.ipv6, "-p dccp --dport 23", .no),
    PacketRow(.ipv4, "-p dccp --dport 22", .depends(on: "the destination port")) { $0.destinationPort = nil },
    PacketRow(.ipv4, "-p dccp --dccp-types REQUEST", .depends(on: "the packet's bytes")),
    PacketRow(.ipv4, "-p dccp --dport 23 --dccp-types REQUEST", .no),
    PacketRow(.ipv4, "-p dccp --dport 258 --dccp-types REQUEST --dccp-option 42", .yes) {
      ($0.destinationPort, $0.bytes) = (nil, ipv4Bytes(33, dccpRequest))
    },
    PacketRow(.ipv6, "-p dccp ! --dccp-types REQUEST", .no) { $0.bytes = ipv6Bytes(33, dccpRequest) },
    PacketRow(.ipv4, "-p dccp --dccp-option 9", .no) { $0.bytes = ipv4Bytes(33, dccpRequest) },
    PacketRow(.ipv4, "-p dccp ! --dccp-option 9", .yes) { $0.bytes = ipv4Bytes(33, dccpRequest) },
    PacketRow(.ipv4, "-p dccp ! --dccp-option 9", .broken) { $0.bytes = ipv4Bytes(33, dccpRequest.dropLast()) },
    PacketRow(.ipv4, "-p dccp -m dccp", .broken) { $0.bytes = ipv4Bytes(33, zeros(11)) },
    PacketRow(.ipv4, "-p dccp -m dccp", .no) { $0.isLaterFragment = true },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-p dccp -m dccp --dccp-option 0", refused: "--dccp-option: '0' is not a number from 1 to 255"),
    Row(.ipv4, "-p dccp -m dccp --dccp-types BAD", refused: "--dccp-types: 'BAD' is not one of its values"),
    Row(
      .ipv4, "-p dccp -m dccp --sport 1:2:3",
      refused: "--source-port: '2:3' is neither a port number nor a known service"),
    Row(.ipv4, "-m dccp --sport 1", refused: "dccp needs -p dccp"),
  ])
  func refused(_ row: Row) throws { try row.check() }

  /// iptables takes these, and means something else.
  @Test(arguments: [
    Row(.ipv4, "-p dccp -m dccp --dccp-types ,", refused: "--dccp-types: no type is named")
  ])
  func misunderstood(_ row: Row) throws { try row.check() }
}
