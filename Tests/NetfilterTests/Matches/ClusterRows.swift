import Netfilter
import Testing

@Suite struct ClusterRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m cluster --cluster-total-nodes 2 --cluster-local-node 2 --cluster-hash-seed 0xfeedcafe",
      prints: "-m cluster --cluster-local-nodemask 0x00000002 --cluster-total-nodes 2 --cluster-hash-seed 0xfeedcafe",
      wire: [2, 0, 0, 0, 2, 0, 0, 0, 254, 202, 237, 254] + zeros(4),
      lists: "cluster node_mask=0x00000002 total_nodes=2 hash_seed=0xfeedcafe"),
    Row(
      .ipv6, "-m cluster ! --cluster-local-nodemask 0x00000003 --cluster-total-nodes 2 --cluster-hash-seed 0x00000001",
      wire: [2, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0],
      lists: "cluster !node_mask=0x00000003 total_nodes=2 hash_seed=0x00000001"),
    Row(
      .ipv4, "-m cluster --cluster-total-nodes 32 ! --cluster-local-node 32 --cluster-hash-seed 7",
      prints:
        "-m cluster ! --cluster-local-nodemask 0x80000000 --cluster-total-nodes 32 --cluster-hash-seed 0x00000007",
      wire: [32] + zeros(6) + [128, 7, 0, 0, 0, 1, 0, 0, 0]),
    // What iptables-save writes for the node 7, and iptables then refuses to read.
    Row(
      .ipv4, "-m cluster --cluster-local-nodemask 0x00000040 --cluster-total-nodes 8 --cluster-hash-seed 0x00000001",
      wire: [8, 0, 0, 0, 64, 0, 0, 0, 1] + zeros(7)),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m cluster --cluster-total-nodes 2 ! --cluster-local-node 1 --cluster-hash-seed 1", .no) {
      $0.connection.state = .invalid
    },
    PacketRow(.ipv4, "-m cluster --cluster-total-nodes 2 --cluster-local-nodemask 3 --cluster-hash-seed 1", .yes) {
      $0.connection.state = .new
    },
    PacketRow(.ipv4, "-m cluster --cluster-total-nodes 2 ! --cluster-local-nodemask 3 --cluster-hash-seed 1", .no),
    PacketRow(
      .ipv4, "-m cluster --cluster-total-nodes 2 --cluster-local-node 1 --cluster-hash-seed 1",
      .depends(on: "the connection's state")),
    PacketRow(
      .ipv4, "-m cluster --cluster-total-nodes 2 --cluster-local-node 1 --cluster-hash-seed 1",
      .depends(on: "the connection's addresses")
    ) { $0.connection.state = .new },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  /// The nodes that a kernel found for 192.0.2.1 and 2001:db8::1.
  @Test(
    arguments: [(.ipv4, 1, 28), (.ipv4, 0xfeed_cafe, 9), (.ipv6, 1, 26), (.ipv6, 0xfeed_cafe, 19)]
      as [(Family, UInt32, Int)])
  func hash(_ family: Family, _ seed: UInt32, _ node: Int) throws {
    var packet = Packet.example(family)
    packet.connection.state = .new
    packet.connection.statuses = []
    for other in 1...32 {
      let cluster = Cluster(totalNodes: 32, nodes: Negatable(1 << UInt32(other - 1)), hashSeed: seed)
      #expect(try #require(cluster).matches(packet) == Answer(other == node))
    }
    packet.connection.statuses = .expected
    let cluster = Cluster(totalNodes: 32, nodes: Negatable(1), hashSeed: seed)
    #expect(try #require(cluster).matches(packet) == .depends(on: "the connection's addresses"))
  }

  @Test(arguments: [
    Row(
      .ipv4, "-m cluster --cluster-total-nodes 2 --cluster-local-node 3 --cluster-hash-seed 1",
      refused: "--cluster-local-node: there are only 2 nodes"),
    Row(
      .ipv4, "-m cluster --cluster-total-nodes 2 --cluster-local-nodemask 4 --cluster-hash-seed 1",
      refused: "--cluster-local-nodemask: there are only 2 nodes"),
    Row(
      .ipv4, "-m cluster --cluster-total-nodes 2 --cluster-hash-seed 1",
      refused: "cluster needs --cluster-local-node or --cluster-local-nodemask"),
    Row(
      .ipv4, "-m cluster --cluster-total-nodes 33 --cluster-local-node 1 --cluster-hash-seed 1",
      refused: "--cluster-total-nodes: '33' is not a number from 1 to 32"),
    Row(
      .ipv4, "-m cluster --cluster-total-nodes 2 --cluster-local-node 1", refused: "cluster needs --cluster-hash-seed N"
    ),
    Row(
      .ipv4,
      "-m cluster --cluster-total-nodes 2 --cluster-local-node 1 --cluster-local-nodemask 1 --cluster-hash-seed 1",
      refused: "--cluster-local-nodemask cannot stand beside --cluster-local-node"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
