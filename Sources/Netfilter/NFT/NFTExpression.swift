/// One expression of a rule in nf_tables (linux/netfilter/nf_tables.h, `enum nft_*_attributes`). Data is as the kernel
/// compares it: what stands in packets in network order, what `meta` loads in the machine's own.
public enum NFTExpression: Hashable, Sendable {
  /// Loads what the machine knows of the packet (`NFTA_META_DREG`).
  case meta(NFTMetaKey, into: NFTRegister)
  /// Sets what the machine knows of the packet (`NFTA_META_SREG`).
  case setMeta(NFTMetaKey, from: NFTRegister)
  /// Puts bytes into a register (`NFTA_IMMEDIATE_DATA` with a value; with a verdict it is ``verdict(_:)``).
  case immediate([UInt8], into: NFTRegister)
  /// Loads bytes of the packet.
  case payload(NFTPayloadBase, offset: Int, length: Int, into: NFTRegister)
  /// Register and mask, exclusive or with a value; mask and value have the length of the data.
  case bitwise(NFTRegister, mask: [UInt8], flip: [UInt8], into: NFTRegister)
  /// Goes on with the next expression only where the comparison holds.
  case compare(NFTComparison, NFTRegister, [UInt8])
  /// Goes on only where the register lies between both values, or, inverted, outside.
  case range(NFTRegister, from: [UInt8], to: [UInt8], inverted: Bool)
  case counter(Counters)
  case verdict(NFTVerdict)
  /// At most so many packets or bytes in a time.
  case limit(NFTLimit)
  case log(NFTLog)
  /// A match of xtables with its kernel bytes (`NFTA_MATCH_*`).
  case match(name: String, revision: UInt8, bytes: [UInt8])
  /// A target of xtables with its kernel bytes (`NFTA_TARGET_*`).
  case target(name: String, revision: UInt8, bytes: [UInt8])
  /// Any other, as name and the bytes of its attributes (`NFTA_EXPR_NAME`, `NFTA_EXPR_DATA`), to be put back as it came.
  case opaque(name: String, attributes: [UInt8])
}

/// A register of 16 bytes by its number, or of 4 bytes from number 8 on (`enum nft_registers`).
public struct NFTRegister: Hashable, Sendable, RawRepresentable, ExpressibleByIntegerLiteral {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public init(integerLiteral value: UInt32) { rawValue = value }
}

/// What `meta` loads. Raw values are `enum nft_meta_keys`.
public enum NFTMetaKey: UInt32, Hashable, Sendable {
  case length = 0
  case mark = 3
  case inInterfaceIndex = 4
  case outInterfaceIndex = 5
  case inInterfaceName = 6
  case outInterfaceName = 7
  /// Whether each rule that the packet meets is logged, one byte.
  case trace = 12
  case family = 15
  case transportProtocol = 16
  /// To whom the link layer sent the packet, one byte, `PACKET_*`.
  case packetType = 19
}

/// Where an offset begins. Raw values are `enum nft_payload_bases`.
public enum NFTPayloadBase: UInt32, Hashable, Sendable {
  case link = 0
  case network = 1
  case transport = 2
}

/// Raw values are `enum nft_cmp_ops`.
public enum NFTComparison: UInt32, Hashable, Sendable {
  case equal = 0
  case notEqual = 1
  case less = 2
  case lessOrEqual = 3
  case greater = 4
  case greaterOrEqual = 5
}

/// What becomes of the packet (`enum nft_verdicts`, and `NF_*` of linux/netfilter.h).
public enum NFTVerdict: Hashable, Sendable {
  case accept
  case drop
  case queue
  case `return`
  case `continue`
  case jump(ChainName)
  case goto(ChainName)
}

/// `limit rate N/unit burst N` (`enum nft_limit_attributes`).
public struct NFTLimit: Hashable, Sendable {
  /// Packets, or bytes, in each `unit` seconds.
  public var rate: UInt64
  public var unit: UInt64
  public var burst: UInt32
  /// Whether bytes are counted.
  public var countsBytes: Bool
  /// Whether what is over the limit matches.
  public var isInverted: Bool

  public init(rate: UInt64, unit: UInt64, burst: UInt32, countsBytes: Bool = false, inverted: Bool = false) {
    self.rate = rate
    self.unit = unit
    self.burst = burst
    self.countsBytes = countsBytes
    self.isInverted = inverted
  }
}

/// `log` (`enum nft_log_attributes`); nil where an attribute is not there.
public struct NFTLog: Hashable, Sendable {
  public var group: UInt16?
  public var prefix: [UInt8]?
  public var snapLength: UInt32?
  public var queueThreshold: UInt16?
  public var level: UInt32?
  public var flags: UInt32?

  public init() {}
}
