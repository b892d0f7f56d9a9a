import Netfilter
import Testing

@Suite struct DCCPRows {
  @Test(arguments: [
    Row(.ipv4, "-p dccp -m dccp", wire: zeros(16)),
    Row(
      .ipv4, "-p dccp -m dccp --sport 1 ! --dport 65535", wire: [255, 255, 255, 255, 1, 0, 1, 0, 3, 0, 2] + zeros(5)),
    Row(
      .ipv6, "-p dccp -m dccp ! --sport 1024: --dport :",
      prints: "-p dccp -m dccp ! --sport 1024:65535 --dport 0:65535",
      wire: [0, 0, 255, 255, 0, 4, 255, 255, 3, 0, 1] + zeros(5)),
    Row(.ipv4, "-p dccp -m dccp --sport 4:3", wire: zeros(4) + [4, 0, 3, 0, 1] + zeros(7)),
    Row(
      .ipv4, "-p dccp -m dccp --dccp-types REQUEST,response", prints: "-p dccp -m dccp --dccp-types REQUEST,RESPONSE",
      wire: zeros(8) + [4, 0, 0, 0, 3, 0, 0, 0]),
    Row(
      .ipv4,
      "-p dccp -m dccp ! --dccp-types REQUEST,RESPONSE,DATA,ACK,DATAACK,CLOSEREQ,CLOSE,RESET,SYNC,SYNCACK,INVALID",
      wire: zeros(8) + [4, 0, 4, 0, 255, 255, 0, 0]),
    Row(.ipv4, "-p dccp -m dccp ! --dccp-option 255", wire: zeros(8) + [8, 0, 8, 0, 0, 0, 255, 0]),
    Row(.ipv4, "-p dccp -m dccp --dccp-types INVALID --dccp-option 1", wire: zeros(8) + [12] + zeros(4) + [252, 1, 0]),
    Row(
      .ipv4, "-p dccp -m dccp --dccp-types REQUEST,,ACK", prints: "-p dccp -m dccp --dccp-types REQUEST,ACK",
      wire: zeros(8) + [4, 0, 0, 0, 9, 0, 0, 0]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

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
    Row(.ipv4, "-p dccp -m dccp --dccp-types ,", refused: "--dccp-types: no type is named"),
    Row(.ipv4, "-p dccp -m dccp --sport 65536", refused: "--source-port: 65536 is not a port"),
  ])
  func misunderstood(_ row: Row) throws { try row.check() }
}
