import Netfilter
import Testing

@Suite struct IPv6HeadersRows {
  @Test(arguments: [
    Row(.ipv6, "-m ipv6header --header hop-by-hop", wire: [128, 0, 0]),
    Row(.ipv6, "-m ipv6header ! --header ipv6-nonxt", wire: [2, 255, 0]),
    Row(
      .ipv6, "-m ipv6header --header prot,none,esp,auth,frag,route,dst,hop --soft",
      prints: "-m ipv6header --header hop-by-hop,ipv6-opts,ipv6-route,ipv6-frag,ah,esp,ipv6-nonxt,protocol --soft",
      wire: [255, 0, 255]),
    Row(
      .ipv6, "-m ipv6header --header 0,60,43,44,51,50,59,255",
      prints: "-m ipv6header --header hop-by-hop,ipv6-opts,ipv6-route,ipv6-frag,ah,esp,ipv6-nonxt,protocol",
      wire: [255, 0, 0]),
    Row(.ipv6, "-m ipv6header --header protocol", wire: [1, 0, 0]),
    Row(
      .ipv6, "-m ipv6header --header ipv6-route,,ah", prints: "-m ipv6header --header ipv6-route,ah", wire: [40, 0, 0]),
    Row(
      .ipv6, "-m ipv6header ! --header frag --soft", prints: "-m ipv6header ! --header ipv6-frag --soft",
      wire: [16, 255, 255]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv6, "-m ipv6header --header tcp", refused: "--header: 'tcp' is not an extension header"),
    Row(.ipv6, "-m ipv6header --header 6", refused: "--header: '6' is not an extension header"),
    Row(.ipv6, "-m ipv6header --header ,", refused: "--header: no header is named"),
    Row(.ipv6, "-m ipv6header --header wrong", refused: "--header: 'wrong' is not an extension header"),
    Row(.ipv6, "-m ipv6header --soft", refused: "ipv6header needs --header HEADER[,HEADER]…"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
