import Netfilter
import Testing

@Suite struct OwnerRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m owner --uid-owner 0", in: "OUTPUT",
      wire: zeros(16) + [1, 0, 0, 0],
      lists: Listing("owner UID match 0", named: "owner UID match root")),
    Row(
      .ipv4, "-m owner --uid-owner root", in: "OUTPUT", prints: "-m owner --uid-owner 0",
      wire: zeros(16) + [1, 0, 0, 0]),
    Row(
      .ipv4, "-m owner --uid-owner 5:7 ! --gid-owner 3 --suppl-groups", in: "OUTPUT",
      prints: "-m owner --uid-owner 5-7 ! --gid-owner 3 --suppl-groups",
      wire: [5, 0, 0, 0, 7, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 11, 2, 0, 0],
      lists: "owner UID match 5-7 ! owner GID match 3 incl. suppl. groups"),
    Row(
      .ipv4, "-m owner --uid-owner 010 ! --socket-exists", in: "OUTPUT",
      prints: "-m owner ! --socket-exists --uid-owner 8",
      wire: [8, 0, 0, 0, 8] + zeros(11) + [5, 4, 0, 0],
      lists: "! owner socket exists owner UID match 8"),
    Row(
      .ipv6, "-m owner ! --uid-owner 0-4294967294 --gid-owner 0x10-32", in: "OUTPUT",
      prints: "-m owner ! --uid-owner 0-4294967294 --gid-owner 16-32",
      wire: [0, 0, 0, 0, 254, 255, 255, 255, 16, 0, 0, 0, 32, 0, 0, 0, 3, 1, 0, 0]),
    Row(
      .ipv4, "-m owner --socket-exists", in: "OUTPUT",
      wire: zeros(16) + [4, 0, 0, 0],
      lists: "owner socket exists"),
    Row(
      .ipv4, "-m owner ! --gid-owner root", in: "OUTPUT", prints: "-m owner ! --gid-owner 0",
      lists: Listing("! owner GID match 0", named: "! owner GID match root")),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m owner --uid-owner 0", .depends(on: "the socket that the packet comes from"), in: "OUTPUT"),
    PacketRow(
      .ipv6, "-m owner ! --socket-exists", .depends(on: "the socket that the packet comes from"), in: "OUTPUT"),
    PacketRow(.ipv4, "-m owner ! --socket-exists --uid-owner 0", .no, in: "OUTPUT"),
    PacketRow(.ipv4, "-m owner ! --socket-exists ! --gid-owner 0 --suppl-groups", .no, in: "OUTPUT") {
      $0.isLaterFragment = true
    },
    PacketRow(
      .ipv4, "-m owner ! --socket-exists ! --gid-owner 0", .depends(on: "the socket that the packet comes from"),
      in: "OUTPUT"),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m owner", in: "OUTPUT", refused: "owner needs --uid-owner, --gid-owner or --socket-exists"),
    Row(
      .ipv4, "-m owner --uid-owner 4294967295", in: "OUTPUT",
      refused: "--uid-owner: '4294967295' is neither a known name nor a number"),
    Row(
      .ipv4, "-m owner --uid-owner 5-", in: "OUTPUT", refused: "--uid-owner: '5-' is neither a known name nor a number"),
    Row(
      .ipv4, "-m owner --uid-owner nobody-there", in: "OUTPUT",
      refused: "--uid-owner: 'nobody-there' is neither a known name nor a number"),
    Row(.ipv4, "-m owner --gid-owner 5-3", in: "OUTPUT", refused: "--gid-owner: the range '5-3' runs backwards"),
    Row(
      .ipv4, "-m owner --suppl-groups --gid-owner 3", in: "OUTPUT",
      refused: "--suppl-groups needs --gid-owner GROUP before it"),
    Row(
      .ipv4, "-m owner --uid-owner 3 --suppl-groups", in: "OUTPUT",
      refused: "--suppl-groups needs --gid-owner GROUP before it"),
    Row(
      .ipv4, "-m owner --gid-owner 3 ! --suppl-groups", in: "OUTPUT", refused: "'!' cannot stand before --suppl-groups"),
    Row(.ipv4, "-m owner --uid-owner 3", in: "INPUT", refused: "owner cannot be used in INPUT"),
  ])
  func refused(_ row: Row) throws { try row.check() }

  /// What no option says stays as it came.
  @Test(arguments: [
    zeros(20),
    [5, 0, 0, 0, 7] + zeros(11) + [4] + zeros(3),  // users without their flag
    zeros(16) + [9, 8, 0, 0],  // other groups inverted
  ])
  func foreignBytesStayOpaque(_ bytes: [UInt8]) {
    let match = Registry.standard.decodeMatch(
      kernelName: "owner", revision: 1, family: .ipv4, payload: bytes.span.bytes)
    #expect((match as? OpaqueMatch)?.opaque.payload == bytes)
  }
}
