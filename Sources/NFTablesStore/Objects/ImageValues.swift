internal import CNFTables
package import Netfilter

// What the attributes of an image say, for those who look into it. Putting an image back needs none of this.

extension RulesetImage.Table {
  /// `NFT_TABLE_F_*`
  package var flags: UInt32 { attributes.number(NFTA_TABLE_FLAGS) ?? 0 }
  /// Whether the kernel leaves its chains out.
  package var isDormant: Bool { flags & NFT_TABLE_F_DORMANT.rawValue != 0 }
  package var userData: [UInt8]? { attributes[NFTA_TABLE_USERDATA] }
}

extension RulesetImage.Chain {
  /// Where a chain meets packets by itself.
  package struct Base: Hashable, Sendable {
    package let type: String
    package let hook: UInt32
    package let priority: Int32
    /// `NF_ACCEPT` or `NF_DROP`.
    package let policy: UInt32
    package let devices: [ObjectName]
    package let counters: Counters?
  }

  /// nil for a chain that is only jumped to.
  package var base: Base? {
    guard let hook = attributes.nest(NFTA_CHAIN_HOOK) else { return nil }
    let counters = attributes.nest(NFTA_CHAIN_COUNTERS).map { counts in
      Counters(packets: counts.number(NFTA_COUNTER_PACKETS) ?? 0, bytes: counts.number(NFTA_COUNTER_BYTES) ?? 0)
    }
    return Base(
      type: attributes.name(NFTA_CHAIN_TYPE)?.description ?? "filter", hook: hook.number(NFTA_HOOK_HOOKNUM) ?? 0,
      priority: Int32(bitPattern: hook.number(NFTA_HOOK_PRIORITY) ?? 0),
      policy: attributes.number(NFTA_CHAIN_POLICY) ?? 1, devices: hook.devices, counters: counters)
  }

  /// `NFT_CHAIN_*`
  package var flags: UInt32 { attributes.number(NFTA_CHAIN_FLAGS) ?? 0 }
  /// Whether it belongs to the one rule that jumps to it, and has a name that the kernel made up.
  package var isAnonymous: Bool { flags & NFT_CHAIN_BINDING.rawValue != 0 }
  package var userData: [UInt8]? { attributes[NFTA_CHAIN_USERDATA] }
}

extension Attributes {
  /// Of a hook: several, or one.
  fileprivate var devices: [ObjectName] {
    guard let list = nest(NFTA_HOOK_DEVS)?.list else { return name(NFTA_HOOK_DEV).map { [$0] } ?? [] }
    return list.map { ObjectName(bytes: Array($0.prefix { $0 != 0 })) }
  }

  /// The members of a list of expressions; nil where it cannot be read.
  fileprivate func expressions<A: RawRepresentable>(_ type: A) -> [NFTExpression]? where A.RawValue == UInt32 {
    var result: [NFTExpression] = []
    for data in nest(type)?.list ?? [] {
      guard let next = try? data.withUnsafeBytes({ bytes throws(WireError) in try ExpressionAttributes.read(bytes) })
      else { return nil }
      result.append(next)
    }
    return result
  }

  /// Expressions that stand alone in one attribute, or as a list in another.
  fileprivate func expressions<A: RawRepresentable>(_ one: A, _ several: A) -> [NFTExpression]?
  where A.RawValue == UInt32 {
    guard let data = self[one] else { return expressions(several) }
    let only = try? data.withUnsafeBytes { bytes throws(WireError) in try ExpressionAttributes.read(bytes) }
    return only.map { [$0] }
  }

  /// `NFTA_DATA_VALUE` inside an attribute.
  fileprivate func value<A: RawRepresentable>(_ type: A) -> [UInt8]? where A.RawValue == UInt32 {
    nest(type)?[NFTA_DATA_VALUE]
  }
}

extension RulesetImage.Rule {
  /// nil where one cannot be read; what has no case of its own is `opaque`.
  package var expressions: [NFTExpression]? { attributes.expressions(NFTA_RULE_EXPRESSIONS) }
  package var userData: [UInt8]? { attributes[NFTA_RULE_USERDATA] }
}

extension RulesetImage.ElementSet {
  /// `NFT_SET_*`
  package var flags: UInt32 { attributes.number(NFTA_SET_FLAGS) ?? 0 }
  package var isAnonymous: Bool { flags & NFT_SET_ANONYMOUS.rawValue != 0 }
  package var isMap: Bool { flags & (NFT_SET_MAP.rawValue | NFT_SET_OBJECT.rawValue) != 0 }
  package var keyType: UInt32 { attributes.number(NFTA_SET_KEY_TYPE) ?? 0 }
  package var keyLength: UInt32 { attributes.number(NFTA_SET_KEY_LEN) ?? 0 }
  package var dataType: UInt32? { attributes.number(NFTA_SET_DATA_TYPE) }
  package var dataLength: UInt32? { attributes.number(NFTA_SET_DATA_LEN) }
  /// `NFT_OBJECT_*`, of a map to stateful objects.
  package var objectType: UInt32? { attributes.number(NFTA_SET_OBJ_TYPE) }
  /// Milliseconds that an element stays unless it says otherwise.
  package var timeout: UInt64? { attributes.number(NFTA_SET_TIMEOUT) }
  /// Milliseconds between two looks for elements whose time is over.
  package var collectionInterval: UInt32? { attributes.number(NFTA_SET_GC_INTERVAL) }
  /// `NFT_SET_POL_*`
  package var policy: UInt32 { attributes.number(NFTA_SET_POLICY) ?? 0 }
  /// How many elements it may hold.
  package var size: UInt32? { attributes.nest(NFTA_SET_DESC)?.number(NFTA_SET_DESC_SIZE) }
  /// The lengths in bytes of the fields that a key is put together from.
  package var fieldLengths: [UInt32] {
    (attributes.nest(NFTA_SET_DESC)?.nest(NFTA_SET_DESC_CONCAT)?.list ?? []).compactMap { data in
      let field = try? data.withUnsafeBytes { bytes throws(WireError) in try Attributes(bytes) }
      return field?.number(NFTA_SET_FIELD_LEN)
    }
  }
  /// What each element gets when it is made.
  package var expressions: [NFTExpression]? { attributes.expressions(NFTA_SET_EXPR, NFTA_SET_EXPRESSIONS) }
  package var userData: [UInt8]? { attributes[NFTA_SET_USERDATA] }
}

extension RulesetImage.Element {
  package var key: [UInt8]? { attributes.value(NFTA_SET_ELEM_KEY) }
  /// The last key of an interval, in sets that keep both ends in one element.
  package var keyEnd: [UInt8]? { attributes.value(NFTA_SET_ELEM_KEY_END) }
  /// What a map gives for it, where that is a value.
  package var data: [UInt8]? { attributes.value(NFTA_SET_ELEM_DATA) }
  /// The chain that a map of verdicts leads to, where it leads to one.
  package var chain: ObjectName? {
    attributes.nest(NFTA_SET_ELEM_DATA)?.nest(NFTA_DATA_VERDICT)?.name(NFTA_VERDICT_CHAIN)
  }
  /// The stateful object that a map gives for it.
  package var object: ObjectName? { attributes.name(NFTA_SET_ELEM_OBJREF) }
  /// `NFT_SET_ELEM_*`
  package var flags: UInt32 { attributes.number(NFTA_SET_ELEM_FLAGS) ?? 0 }
  /// Whether it is only where the interval before it ends.
  package var isIntervalEnd: Bool { flags & NFT_SET_ELEM_INTERVAL_END.rawValue != 0 }
  /// In milliseconds.
  package var timeout: UInt64? { attributes.number(NFTA_SET_ELEM_TIMEOUT) }
  /// What is left of the timeout, in milliseconds.
  package var expiration: UInt64? { attributes.number(NFTA_SET_ELEM_EXPIRATION) }
  package var expressions: [NFTExpression]? { attributes.expressions(NFTA_SET_ELEM_EXPR, NFTA_SET_ELEM_EXPRESSIONS) }
  package var userData: [UInt8]? { attributes[NFTA_SET_ELEM_USERDATA] }
}

extension RulesetImage.StatefulObject {
  /// `NFT_OBJECT_*`
  package var type: UInt32 { attributes.number(NFTA_OBJ_TYPE) ?? 0 }

  /// As nft(8) calls it.
  package var typeName: String {
    let names = [
      1: "counter", 2: "quota", 3: "ct helper", 4: "limit", 5: "connlimit", 6: "tunnel", 7: "ct timeout", 8: "secmark",
      9: "ct expectation", 10: "synproxy",
    ]
    return names[Int(type)] ?? "type \(type)"
  }

  /// Its own attributes, by type: `NFTA_COUNTER_*` and so on.
  package var data: Attributes? { attributes.nest(NFTA_OBJ_DATA) }
  package var userData: [UInt8]? { attributes[NFTA_OBJ_USERDATA] }
}

extension RulesetImage.Flowtable {
  /// `NFT_FLOWTABLE_*`
  package var flags: UInt32 { attributes.number(NFTA_FLOWTABLE_FLAGS) ?? 0 }

  package var priority: Int32 {
    Int32(bitPattern: attributes.nest(NFTA_FLOWTABLE_HOOK)?.number(NFTA_FLOWTABLE_HOOK_PRIORITY) ?? 0)
  }

  package var devices: [ObjectName] {
    (attributes.nest(NFTA_FLOWTABLE_HOOK)?.nest(NFTA_FLOWTABLE_HOOK_DEVS)?.list ?? [])
      .map { ObjectName(bytes: Array($0.prefix { $0 != 0 })) }
  }
}
