/// Whether this node of a cluster is the one for a connection, by a hash of its source address
/// (`struct xt_cluster_match_info`, linux/netfilter/xt_cluster.h).
public struct Cluster: Match {
  public let totalNodes: Int
  /// A bit for each node that is meant, the first one lowest.
  public let nodes: Negatable<UInt32>
  /// The same number on every node.
  public let hashSeed: UInt32

  /// `XT_CLUSTER_NODES_MAX`.
  public static let maxNodes = 32

  /// nil when there is no node or more than 32, or when none is meant or one that is not there.
  public init?(totalNodes: Int, nodes: Negatable<UInt32>, hashSeed: UInt32) {
    guard (1...Self.maxNodes).contains(totalNodes), nodes.value != 0, UInt64(nodes.value) < 1 << UInt64(totalNodes)
    else { return nil }
    self.totalNodes = totalNodes
    self.nodes = nodes
    self.hashSeed = hashSeed
  }
}

// MARK: Syntax

extension Cluster {
  public static let definition = ExtensionDefinition(
    "cluster", summary: "share of a node of a cluster",
    options: [
      OptionSpec("--cluster-total-nodes", .number(1...UInt64(maxNodes)), required: true, "number of nodes"),
      OptionSpec(
        "--cluster-local-node", .number(1...UInt64(maxNodes)), negatable: true, excludes: ["--cluster-local-nodemask"],
        "number of this node, from 1"),
      OptionSpec(
        "--cluster-local-nodemask", .number(1...UInt64(UInt32.max)), negatable: true,
        excludes: ["--cluster-local-node"], "a bit for each node that this one stands for"),
      OptionSpec("--cluster-hash-seed", .anyNumber, required: true, "a number, the same on every node"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let total = try options.number("--cluster-total-nodes"), let seed = try options.number("--cluster-hash-seed")
    else { throw SyntaxError("cluster needs --cluster-total-nodes and --cluster-hash-seed") }
    let nodes: UInt32
    let name: StaticString
    if let node = try options.number("--cluster-local-node") {
      name = "--cluster-local-node"
      nodes = 1 << UInt32(node - 1)
    } else if let mask = try options.number("--cluster-local-nodemask") {
      name = "--cluster-local-nodemask"
      nodes = UInt32(mask)
    } else {
      throw SyntaxError("cluster needs --cluster-local-node or --cluster-local-nodemask")
    }
    let condition = Negatable(nodes, inverted: options.isInverted(name))
    guard let value = Cluster(totalNodes: Int(total), nodes: condition, hashSeed: UInt32(seed)) else {
      throw options.error(name, "there are only \(total) nodes")
    }
    self = value
  }

  public func print(to out: inout RuleWriter) {
    out.option("--cluster-local-nodemask", inverted: nodes.isInverted)
    out.text.write(" 0x")
    out.text.write(hex: nodes.value, width: 8)
    out.option("--cluster-total-nodes")
    out.number(totalNodes)
    out.option("--cluster-hash-seed")
    out.text.write(" 0x")
    out.text.write(hex: hashSeed, width: 8)
  }

  public func list(to out: inout RuleWriter) {
    out.word("cluster")
    out.word(nodes.isInverted ? "!node_mask=0x" : "node_mask=0x")
    out.text.write(hex: nodes.value, width: 8)
    out.word("total_nodes=")
    out.text.write(totalNodes)
    out.word("hash_seed=0x")
    out.text.write(hex: hashSeed, width: 8)
  }
}

// MARK: Kernel bytes

extension Cluster {
  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(UInt32(totalNodes))
    out.write(nodes.value)
    out.write(hashSeed)
    out.write(UInt32(nodes.isInverted ? 1 : 0))
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let total = try bytes.uint32("total_nodes")
    let nodes = try bytes.uint32("node_mask")
    let seed = try bytes.uint32("hash_seed")
    let flags = try bytes.uint32("flags")
    guard flags <= 1 else { throw bytes.invalid("flags") }
    guard let value = Cluster(totalNodes: Int(total), nodes: Negatable(nodes, inverted: flags == 1), hashSeed: seed)
    else { throw bytes.invalid("node_mask") }
    self = value
  }
}

// MARK: Meaning

extension Cluster {
  /// A packet without a connection does not match, inverted or not.
  public func matches(_ packet: Packet) -> Answer {
    if packet.connection.isTracked == false { return .no }
    let isEveryNode = UInt64(nodes.value) == (1 << UInt64(totalNodes)) - 1
    if isEveryNode, nodes.isInverted { return .no }
    guard packet.connection.isTracked == true else { return .depends(on: "the connection's state") }
    if isEveryNode { return .yes }
    guard let source = Self.hashedSource(packet) else { return .depends(on: "the connection's addresses") }
    let node = JenkinsHash.place(JenkinsHash.hash(Self.word(source), seed: hashSeed), below: UInt32(totalNodes))
    return Answer((nodes.value >> node & 1 == 1) != nodes.isInverted)
  }

  /// The source of the connection, or of the one that announced it; that one is not known.
  private static func hashedSource(_ packet: Packet) -> IPAddress? {
    guard let statuses = packet.connection.statuses, !statuses.contains(.expected) else { return nil }
    return packet.connectionEnds(.original)?.source
  }

  /// What the kernel hashes of the address: its first 32 bits, which of an IPv6 address are hardly the telling ones, as
  /// it reads them from memory in network order.
  private static func word(_ address: IPAddress) -> UInt32 {
    UInt32(truncatingIfNeeded: address.bits >> UInt128(address.family.addressBits - 32)).bigEndian
  }
}
