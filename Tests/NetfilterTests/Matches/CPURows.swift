import Netfilter
import Testing

@Suite struct CPURows {
  @Test(arguments: [
    Row(.ipv4, "-m cpu --cpu 0", wire: zeros(8), lists: "cpu 0"),
    Row(.ipv6, "-m cpu ! --cpu 4294967295", wire: [255, 255, 255, 255, 1, 0, 0, 0], lists: "cpu ! 4294967295"),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m cpu --cpu 0", .depends(on: "the processor that handles the packet"))
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m cpu --cpu 4294967296", refused: "--cpu: '4294967296' is not a number from 0 to 4294967295"),
    Row(.ipv4, "-m cpu", refused: "cpu needs --cpu N"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
