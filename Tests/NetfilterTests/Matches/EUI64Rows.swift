import Netfilter
import Testing

@Suite struct EUI64Rows {
  @Test(arguments: [
    Row(.ipv6, "-m eui64", wire: zeros(4), lists: Listing(bare: "eui64 ")),
    Row(.ipv6, "-m eui64", in: "INPUT", wire: zeros(4)),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv6, "-m eui64", .yes) {
      ($0.source, $0.sourceMAC) = (IPAddress("fe80::216:3eff:fe0a:1b2c")!, MACAddress("00:16:3e:0a:1b:2c"))
    },
    PacketRow(.ipv6, "-m eui64", .no) {
      ($0.source, $0.sourceMAC) = (IPAddress("fe80::16:3eff:fe0a:1b2c")!, MACAddress("00:16:3e:0a:1b:2c"))
    },
    PacketRow(.ipv6, "-m eui64", .depends(on: "the Ethernet source address")) {
      $0.source = IPAddress("fe80::216:3eff:fe0a:1b2c")!
    },
    PacketRow(.ipv6, "-m eui64", .no),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv6, "-m eui64", in: "OUTPUT", refused: "eui64 cannot be used in OUTPUT"),
    Row(.ipv4, "-m eui64", refused: "match 'eui64' is for IPv6 only"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
