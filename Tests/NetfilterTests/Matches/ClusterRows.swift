import Netfilter
import Testing

@Suite struct ClusterRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m cluster --cluster-total-nodes 2 --cluster-local-node 2 --cluster-hash-seed 0xfeedcafe",
      prints: "-m cluster --cluster-local-nodemask 0x00000002 --cluster-total-nodes 2 --cluster-hash-seed 0xfeedcafe",
      wire: [2, 0, 0, 0, 2, 0, 0, 0, 254, 202, 237, 254] + zeros(4)),
    Row(
      .ipv6, "-m cluster ! --cluster-local-nodemask 0x00000003 --cluster-total-nodes 2 --cluster-hash-seed 0x00000001",
      wire: [2, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]),
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
