internal import CNFTables
package import Netfilter

/// Expressions as nf_tables takes and gives them: `NFTA_EXPR_NAME` and the attributes of each kind
/// (linux/netfilter/nf_tables.h). What no case says, or not all of, is read as `opaque` with all its bytes.
package enum ExpressionAttributes {
  /// `NFT_REG_VERDICT`: what an `immediate` loads there becomes of the packet.
  private static let verdictRegister: UInt32 = 0
  /// `NFT_BITWISE_BOOL`, which later headers call `NFT_BITWISE_MASK_XOR`.
  private static let bitwiseBoolean: UInt32 = 0

  // MARK: Writing

  package static func write(_ expression: NFTExpression, to out: inout ByteWriter) {
    out.nest(NFTA_LIST_ELEM) { out in
      switch expression {
      case .meta(let key, let register):
        describe("meta", &out) { out in
          out.put(NFTA_META_KEY, big: key.rawValue)
          out.put(NFTA_META_DREG, big: register.rawValue)
        }
      case .setMeta(let key, let register):
        describe("meta", &out) { out in
          out.put(NFTA_META_KEY, big: key.rawValue)
          out.put(NFTA_META_SREG, big: register.rawValue)
        }
      case .immediate(let data, let register):
        describe("immediate", &out) { out in
          out.put(NFTA_IMMEDIATE_DREG, big: register.rawValue)
          out.nest(NFTA_IMMEDIATE_DATA) { $0.put(NFTA_DATA_VALUE, data) }
        }
      case .payload(let base, let offset, let length, let register):
        describe("payload", &out) { out in
          out.put(NFTA_PAYLOAD_DREG, big: register.rawValue)
          out.put(NFTA_PAYLOAD_BASE, big: base.rawValue)
          out.put(NFTA_PAYLOAD_OFFSET, big: UInt32(offset))
          out.put(NFTA_PAYLOAD_LEN, big: UInt32(length))
        }
      case .bitwise(let source, let mask, let flip, let register):
        describe("bitwise", &out) { out in
          out.put(NFTA_BITWISE_SREG, big: source.rawValue)
          out.put(NFTA_BITWISE_DREG, big: register.rawValue)
          out.put(NFTA_BITWISE_LEN, big: UInt32(mask.count))
          out.nest(NFTA_BITWISE_MASK) { $0.put(NFTA_DATA_VALUE, mask) }
          out.nest(NFTA_BITWISE_XOR) { $0.put(NFTA_DATA_VALUE, flip) }
        }
      case .compare(let comparison, let register, let data):
        describe("cmp", &out) { out in
          out.put(NFTA_CMP_SREG, big: register.rawValue)
          out.put(NFTA_CMP_OP, big: comparison.rawValue)
          out.nest(NFTA_CMP_DATA) { $0.put(NFTA_DATA_VALUE, data) }
        }
      case .range(let register, let from, let to, let isInverted):
        describe("range", &out) { out in
          out.put(NFTA_RANGE_SREG, big: register.rawValue)
          out.put(NFTA_RANGE_OP, big: isInverted ? NFT_RANGE_NEQ.rawValue : NFT_RANGE_EQ.rawValue)
          out.nest(NFTA_RANGE_FROM_DATA) { $0.put(NFTA_DATA_VALUE, from) }
          out.nest(NFTA_RANGE_TO_DATA) { $0.put(NFTA_DATA_VALUE, to) }
        }
      case .counter(let counters):
        describe("counter", &out) { out in
          out.put(NFTA_COUNTER_BYTES, big: counters.bytes)
          out.put(NFTA_COUNTER_PACKETS, big: counters.packets)
        }
      case .verdict(let verdict): describe("immediate", &out) { write(verdict, to: &$0) }
      case .limit(let limit): describe("limit", &out) { write(limit, to: &$0) }
      case .log(let log): describe("log", &out) { write(log, to: &$0) }
      case .match(let name, let revision, let bytes):
        describe("match", &out) { out in
          out.put(NFTA_MATCH_NAME, text: name)
          out.put(NFTA_MATCH_REV, big: UInt32(revision))
          out.put(NFTA_MATCH_INFO, aligned(bytes))
        }
      case .target(let name, let revision, let bytes):
        describe("target", &out) { out in
          out.put(NFTA_TARGET_NAME, text: name)
          out.put(NFTA_TARGET_REV, big: UInt32(revision))
          out.put(NFTA_TARGET_INFO, aligned(bytes))
        }
      case .opaque(let name, let attributes):
        guard attributes.isEmpty else { return describe(name, &out) { $0.write(attributes) } }
        out.put(NFTA_EXPR_NAME, text: name)
      }
    }
  }

  private static func describe(_ name: String, _ out: inout ByteWriter, _ body: (inout ByteWriter) -> Void) {
    out.put(NFTA_EXPR_NAME, text: name)
    out.nest(NFTA_EXPR_DATA, body)
  }

  /// Structures of xtables end on a multiple of 8 (`XT_ALIGN`).
  private static func aligned(_ bytes: [UInt8]) -> [UInt8] {
    bytes + [UInt8](repeating: 0, count: (8 - bytes.count % 8) % 8)
  }

  private static func write(_ verdict: NFTVerdict, to out: inout ByteWriter) {
    out.put(NFTA_IMMEDIATE_DREG, big: verdictRegister)
    out.nest(NFTA_IMMEDIATE_DATA) { writeData(verdict, to: &$0) }
  }

  /// A verdict as data, for an expression or an element.
  static func writeData(_ verdict: NFTVerdict, to out: inout ByteWriter) {
    out.nest(NFTA_DATA_VERDICT) { out in
      out.put(NFTA_VERDICT_CODE, big: verdict.code)
      if let chain = verdict.chain { out.put(NFTA_VERDICT_CHAIN, text: chain.text) }
    }
  }

  /// Reads a verdict as an element has it, the data of `NFTA_SET_ELEM_DATA`; nil where it is none.
  static func verdict(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> NFTVerdict? {
    var data = try AttributeReader(bytes)
    var fields = try data.nest(NFTA_DATA_VERDICT)
    try data.finish()
    let code: UInt32 = try fields.big(NFTA_VERDICT_CODE)
    let chain = fields.take(NFTA_VERDICT_CHAIN).map { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    _ = fields.take(NFTA_VERDICT_CHAIN_ID)
    try fields.finish()
    return NFTVerdict(code: Int32(bitPattern: code), chain: chain.map { ChainName(unchecked: $0) })
  }

  private static func write(_ limit: NFTLimit, to out: inout ByteWriter) {
    out.put(NFTA_LIMIT_RATE, big: limit.rate)
    out.put(NFTA_LIMIT_UNIT, big: limit.unit)
    out.put(NFTA_LIMIT_BURST, big: limit.burst)
    out.put(NFTA_LIMIT_TYPE, big: limit.countsBytes ? NFT_LIMIT_PKT_BYTES.rawValue : NFT_LIMIT_PKTS.rawValue)
    out.put(NFTA_LIMIT_FLAGS, big: limit.isInverted ? NFT_LIMIT_F_INV.rawValue : 0)
  }

  private static func write(_ log: NFTLog, to out: inout ByteWriter) {
    if let group = log.group { out.put(NFTA_LOG_GROUP, big: group) }
    if let prefix = log.prefix { out.put(NFTA_LOG_PREFIX, prefix + [0]) }
    if let length = log.snapLength { out.put(NFTA_LOG_SNAPLEN, big: length) }
    if let threshold = log.queueThreshold { out.put(NFTA_LOG_QTHRESHOLD, big: threshold) }
    if let level = log.level { out.put(NFTA_LOG_LEVEL, big: level) }
    if let flags = log.flags { out.put(NFTA_LOG_FLAGS, big: flags) }
  }

  // MARK: Reading

  /// One expression, the data of `NFTA_LIST_ELEM`.
  package static func read(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> NFTExpression {
    var frame = try AttributeReader(bytes)
    let name = try frame.text(NFTA_EXPR_NAME)
    let data = frame.take(NFTA_EXPR_DATA) ?? UnsafeRawBufferPointer(start: nil, count: 0)
    try frame.finish()
    let known = Result { () throws(WireError) in try typed(name, data) }
    if case .success(let expression?) = known { return expression }
    return .opaque(name: name, attributes: Array(data))
  }

  /// nil for a kind that has no case; an error for one that says more than its case can.
  private static func typed(_ name: String, _ data: UnsafeRawBufferPointer) throws(WireError) -> NFTExpression? {
    var fields = try AttributeReader(data)
    let expression: NFTExpression
    switch name {
    case "meta":
      guard let key = NFTMetaKey(rawValue: try fields.big(NFTA_META_KEY)) else { return nil }
      if let register: UInt32 = try fields.bigIfPresent(NFTA_META_SREG) {
        expression = .setMeta(key, from: NFTRegister(rawValue: register))
      } else {
        expression = .meta(key, into: NFTRegister(rawValue: try fields.big(NFTA_META_DREG)))
      }
    case "payload":
      guard let base = NFTPayloadBase(rawValue: try fields.big(NFTA_PAYLOAD_BASE)) else { return nil }
      expression = .payload(
        base, offset: Int(try fields.big(NFTA_PAYLOAD_OFFSET, as: UInt32.self)),
        length: Int(try fields.big(NFTA_PAYLOAD_LEN, as: UInt32.self)),
        into: NFTRegister(rawValue: try fields.big(NFTA_PAYLOAD_DREG)))
    case "bitwise":
      let operation: UInt32? = try fields.bigIfPresent(NFTA_BITWISE_OP)
      guard operation == nil || operation == bitwiseBoolean else { return nil }
      let source = NFTRegister(rawValue: try fields.big(NFTA_BITWISE_SREG))
      let register = NFTRegister(rawValue: try fields.big(NFTA_BITWISE_DREG))
      let mask = try fields.constant(NFTA_BITWISE_MASK)
      guard UInt32(mask.count) == (try fields.big(NFTA_BITWISE_LEN)) else { return nil }
      expression = .bitwise(source, mask: mask, flip: try fields.constant(NFTA_BITWISE_XOR), into: register)
    case "cmp":
      guard let comparison = NFTComparison(rawValue: try fields.big(NFTA_CMP_OP)) else { return nil }
      expression = .compare(
        comparison, NFTRegister(rawValue: try fields.big(NFTA_CMP_SREG)), try fields.constant(NFTA_CMP_DATA))
    case "range":
      let operation: UInt32 = try fields.big(NFTA_RANGE_OP)
      guard operation == NFT_RANGE_EQ.rawValue || operation == NFT_RANGE_NEQ.rawValue else { return nil }
      expression = .range(
        NFTRegister(rawValue: try fields.big(NFTA_RANGE_SREG)), from: try fields.constant(NFTA_RANGE_FROM_DATA),
        to: try fields.constant(NFTA_RANGE_TO_DATA), inverted: operation == NFT_RANGE_NEQ.rawValue)
    case "counter":
      let bytes: UInt64 = try fields.big(NFTA_COUNTER_BYTES)
      expression = .counter(Counters(packets: try fields.big(NFTA_COUNTER_PACKETS), bytes: bytes))
      _ = fields.take(NFTA_COUNTER_PAD)
    case "immediate":
      let register: UInt32 = try fields.big(NFTA_IMMEDIATE_DREG)
      if register == verdictRegister {
        guard let verdict = try verdict(&fields) else { return nil }
        expression = .verdict(verdict)
      } else {
        expression = .immediate(try fields.constant(NFTA_IMMEDIATE_DATA), into: NFTRegister(rawValue: register))
      }
    case "limit":
      guard let limit = try limit(&fields) else { return nil }
      expression = .limit(limit)
    case "log": expression = .log(try log(&fields))
    case "match":
      guard let revision = UInt8(exactly: try fields.big(NFTA_MATCH_REV, as: UInt32.self)) else { return nil }
      expression = .match(
        name: try fields.text(NFTA_MATCH_NAME), revision: revision, bytes: Array(try fields.require(NFTA_MATCH_INFO)))
    case "target":
      guard let revision = UInt8(exactly: try fields.big(NFTA_TARGET_REV, as: UInt32.self)) else { return nil }
      expression = .target(
        name: try fields.text(NFTA_TARGET_NAME), revision: revision,
        bytes: Array(try fields.require(NFTA_TARGET_INFO)))
    default: return nil
    }
    try fields.finish()
    return expression
  }

  private static func verdict(_ fields: inout AttributeReader) throws(WireError) -> NFTVerdict? {
    var data = try fields.nest(NFTA_IMMEDIATE_DATA)
    var verdict = try data.nest(NFTA_DATA_VERDICT)
    try data.finish()
    let code = Int32(bitPattern: try verdict.big(NFTA_VERDICT_CODE))
    let chain = verdict.take(NFTA_VERDICT_CHAIN).map { name in
      ChainName(unchecked: String(decoding: name.prefix { $0 != 0 }, as: UTF8.self))
    }
    try verdict.finish()
    return NFTVerdict(code: code, chain: chain)
  }

  private static func limit(_ fields: inout AttributeReader) throws(WireError) -> NFTLimit? {
    let kind: UInt32 = try fields.bigIfPresent(NFTA_LIMIT_TYPE) ?? NFT_LIMIT_PKTS.rawValue
    let flags: UInt32 = try fields.bigIfPresent(NFTA_LIMIT_FLAGS) ?? 0
    guard kind == NFT_LIMIT_PKTS.rawValue || kind == NFT_LIMIT_PKT_BYTES.rawValue,
      flags & ~NFT_LIMIT_F_INV.rawValue == 0
    else { return nil }
    _ = fields.take(NFTA_LIMIT_PAD)
    return NFTLimit(
      rate: try fields.big(NFTA_LIMIT_RATE), unit: try fields.big(NFTA_LIMIT_UNIT),
      burst: try fields.bigIfPresent(NFTA_LIMIT_BURST) ?? 0, countsBytes: kind == NFT_LIMIT_PKT_BYTES.rawValue,
      inverted: flags != 0)
  }

  private static func log(_ fields: inout AttributeReader) throws(WireError) -> NFTLog {
    var log = NFTLog()
    log.group = try fields.bigIfPresent(NFTA_LOG_GROUP)
    log.prefix = fields.take(NFTA_LOG_PREFIX).map { Array($0.prefix { $0 != 0 }) }
    log.snapLength = try fields.bigIfPresent(NFTA_LOG_SNAPLEN)
    log.queueThreshold = try fields.bigIfPresent(NFTA_LOG_QTHRESHOLD)
    log.level = try fields.bigIfPresent(NFTA_LOG_LEVEL)
    log.flags = try fields.bigIfPresent(NFTA_LOG_FLAGS)
    return log
  }
}

extension NFTVerdict {
  /// `NF_*` of linux/netfilter.h, and `enum nft_verdicts`.
  fileprivate var code: Int32 {
    switch self {
    case .drop: 0
    case .accept: 1
    case .queue: 3
    case .continue: NFT_CONTINUE.rawValue
    case .jump: NFT_JUMP.rawValue
    case .goto: NFT_GOTO.rawValue
    case .return: NFT_RETURN.rawValue
    }
  }

  fileprivate var chain: ChainName? {
    switch self {
    case .jump(let chain), .goto(let chain): chain
    case .accept, .drop, .queue, .return, .continue: nil
    }
  }

  fileprivate init?(code: Int32, chain: ChainName?) {
    switch (code, chain) {
    case (0, nil): self = .drop
    case (1, nil): self = .accept
    case (3, nil): self = .queue
    case (NFT_CONTINUE.rawValue, nil): self = .continue
    case (NFT_RETURN.rawValue, nil): self = .return
    case (NFT_JUMP.rawValue, let chain?): self = .jump(chain)
    case (NFT_GOTO.rawValue, let chain?): self = .goto(chain)
    default: return nil
    }
  }
}
