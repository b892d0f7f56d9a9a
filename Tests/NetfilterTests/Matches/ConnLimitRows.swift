import Netfilter
import Testing

@Suite struct ConnLimitRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m connlimit --connlimit-above 3",
      prints: "-m connlimit --connlimit-above 3 --connlimit-mask 32 --connlimit-saddr",
      wire: ones(16) + [3] + zeros(15), lists: "#conn src/32 > 3"),
    Row(
      .ipv4, "-m connlimit --connlimit-upto 3 --connlimit-mask 24",
      prints: "-m connlimit --connlimit-upto 3 --connlimit-mask 24 --connlimit-saddr",
      wire: [255, 255, 255] + zeros(13) + [3, 0, 0, 0, 1] + zeros(11), lists: "#conn src/24 <= 3"),
    Row(
      .ipv4, "-m connlimit ! --connlimit-upto 3 --connlimit-mask 0 --connlimit-daddr",
      prints: "-m connlimit --connlimit-above 3 --connlimit-mask 0 --connlimit-daddr",
      wire: zeros(16) + [3, 0, 0, 0, 2] + zeros(11), lists: "#conn dst/0 > 3"),
    Row(
      .ipv4, "-m connlimit ! --connlimit-above 4294967295 --connlimit-mask 255.255.0.0 --connlimit-saddr",
      prints: "-m connlimit --connlimit-upto 4294967295 --connlimit-mask 16 --connlimit-saddr",
      wire: [255, 255] + zeros(14) + [255, 255, 255, 255, 1] + zeros(11)),
    Row(
      .ipv4, "-m connlimit --connlimit-above 0 --connlimit-mask 32",
      prints: "-m connlimit --connlimit-above 0 --connlimit-mask 32 --connlimit-saddr",
      wire: [255, 255, 255, 255] + zeros(28)),
    Row(
      .ipv6, "-m connlimit --connlimit-upto 3 --connlimit-mask 56",
      prints: "-m connlimit --connlimit-upto 3 --connlimit-mask 56 --connlimit-saddr",
      wire: ones(7) + zeros(9) + [3, 0, 0, 0, 1] + zeros(11), lists: "#conn src/56 <= 3"),
    Row(
      .ipv6, "-m connlimit --connlimit-upto 3",
      prints: "-m connlimit --connlimit-upto 3 --connlimit-mask 128 --connlimit-saddr",
      wire: ones(16) + [3, 0, 0, 0, 1] + zeros(11), lists: "#conn src/128 <= 3"),
    Row(
      .ipv6, "-m connlimit --connlimit-upto 3 --connlimit-mask 128",
      prints: "-m connlimit --connlimit-upto 3 --connlimit-mask 128 --connlimit-saddr",
      wire: ones(16) + [3, 0, 0, 0, 1] + zeros(11)),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m connlimit --connlimit-above 3", .depends(on: "how many connections the host has")),
    PacketRow(.ipv4, "-m connlimit --connlimit-above 0", .yes),
    PacketRow(.ipv4, "-m connlimit --connlimit-upto 0", .no),
    PacketRow(.ipv6, "-m connlimit --connlimit-above 4294967295", .no),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(
      .ipv4, "-m connlimit --connlimit-mask 24", refused: "connlimit needs --connlimit-upto N or --connlimit-above N"),
    Row(.ipv4, "-m connlimit --connlimit-above 3 --connlimit-mask 33", refused: "invalid mask '33'"),
    Row(
      .ipv4, "-m connlimit --connlimit-above 3 --connlimit-upto 3",
      refused: "--connlimit-upto cannot stand beside --connlimit-above"),
    Row(
      .ipv4, "-m connlimit --connlimit-above 3 --connlimit-saddr --connlimit-daddr",
      refused: "--connlimit-daddr cannot stand beside --connlimit-saddr"),
    Row(
      .ipv4, "-m connlimit --connlimit-above -1",
      refused: "--connlimit-above: '-1' is not a number from 0 to 4294967295"),
    Row(
      .ipv4, "-m connlimit --connlimit-above 4294967296",
      refused: "--connlimit-above: '4294967296' is not a number from 0 to 4294967295"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
