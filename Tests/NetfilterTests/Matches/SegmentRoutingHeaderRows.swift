import Netfilter
import Testing

@Suite struct SegmentRoutingHeaderRows {
  @Test(arguments: [
    Row(.ipv6, "-m srh", wire: zeros(108)),
    Row(
      .ipv6, "-m srh --srh-segs-left-lt 2 --srh-last-entry-eq 3", wire: [0, 0, 2, 3] + zeros(100) + [192, 0, 0, 0]),
    Row(
      .ipv6, "-m srh --srh-next-hdr 17 --srh-hdr-len-eq 8 --srh-segs-left-gt 1 --srh-last-entry-lt 4 --srh-tag 0",
      wire: [17, 8, 1, 4] + zeros(100) + [35, 6, 0, 0]),
    Row(
      .ipv6,
      "-m srh ! --srh-next-hdr 17 ! --srh-hdr-len-lt 8 ! --srh-segs-left-eq 1"
        + " ! --srh-last-entry-gt 4 ! --srh-tag 65535",
      wire: [17, 8, 1, 4, 255, 255] + zeros(98) + [25, 5, 25, 5]),
    Row(
      .ipv6, "-m srh --srh-psid a::/64 --srh-nsid b::/128 --srh-lsid c::/0",
      wire: zeros(9) + [10] + zeros(15) + [11] + zeros(15) + [12] + zeros(14) + ones(8) + zeros(8) + ones(16)
        + zeros(17) + [56, 0, 0]),
    Row(
      .ipv6, "-m srh ! --srh-psid a::1/64 ! --srh-nsid b:: ! --srh-lsid c::/ffff::",
      prints: "-m srh ! --srh-psid a::1/64 ! --srh-nsid b::/128 ! --srh-lsid c::/16",
      wire: zeros(9) + [10] + zeros(13) + [1, 0, 11] + zeros(15) + [12] + zeros(14) + ones(8) + zeros(8) + ones(18)
        + zeros(15) + [56, 0, 56]),
    Row(
      .ipv6, "-m srh ! --srh-hdr-len-gt 8 --srh-hdr-len-eq 8", prints: "-m srh --srh-hdr-len-eq 8 ! --srh-hdr-len-gt 8",
      wire: [0, 8] + zeros(102) + [6, 0, 4, 0]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv6, "-m srh --srh-next-hdr 256", refused: "--srh-next-hdr: '256' is not a number from 0 to 255"),
    Row(.ipv6, "-m srh --srh-tag 65536", refused: "--srh-tag: '65536' is not a number from 0 to 65535"),
    Row(.ipv6, "-m srh --srh-psid a::/129", refused: "invalid mask '129'"),
  ])
  func refused(_ row: Row) throws { try row.check() }

  /// iptables takes these, and means something else.
  @Test(arguments: [
    Row(
      .ipv6, "-m srh --srh-hdr-len-gt 8 --srh-hdr-len-lt 9",
      refused: "--srh-hdr-len-lt: the kernel compares the field with one number only, here 8")
  ])
  func misunderstood(_ row: Row) throws { try row.check() }
}
