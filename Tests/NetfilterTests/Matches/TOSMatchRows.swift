import Netfilter
import Testing

@Suite struct TOSMatchRows {
  @Test(arguments: [
    Row(.ipv4, "-m tos --tos 0x10/0x3f", wire: [63, 16, 0]),
    Row(.ipv4, "-m tos --tos Minimize-Delay", prints: "-m tos --tos 0x10/0x3f", wire: [63, 16, 0]),
    Row(.ipv6, "-m tos ! --tos maximize-throughput", prints: "-m tos ! --tos 0x08/0x3f", wire: [63, 8, 1]),
    Row(.ipv4, "-m tos --tos Maximize-Reliability", prints: "-m tos --tos 0x04/0x3f", wire: [63, 4, 0]),
    Row(.ipv4, "-m tos --tos Minimize-Cost", prints: "-m tos --tos 0x02/0x3f", wire: [63, 2, 0]),
    Row(.ipv4, "-m tos --tos Normal-Service", prints: "-m tos --tos 0x00/0x3f", wire: [63, 0, 0]),
    Row(.ipv4, "-m tos --tos 255", prints: "-m tos --tos 0xff/0xff", wire: [255, 255, 0]),
    Row(.ipv4, "-m tos ! --tos 8/3", prints: "-m tos ! --tos 0x08/0x03", wire: [3, 8, 1]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m tos --tos 256", refused: "--tos: '256' is neither a number up to 255 nor a name"),
    Row(.ipv4, "-m tos --tos 1/256", refused: "--tos: the mask '256' is not a number from 0 to 255"),
    Row(.ipv4, "-m tos --tos 1/", refused: "--tos: the mask '' is not a number from 0 to 255"),
    Row(.ipv4, "-m tos --tos wrong", refused: "--tos: 'wrong' is neither a number up to 255 nor a name"),
    Row(.ipv4, "-m tos", refused: "tos needs --tos VALUE[/MASK]|NAME"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
