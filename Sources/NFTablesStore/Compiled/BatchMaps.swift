internal import CNFTables
internal import Netfilter
internal import RuleStore

/// One element to come or to go.
struct MapElement {
  var key: HeaderKey
  var verdict: NFTVerdict = .continue
  var note = ElementNote(order: 0)
  var counters = Counters.zero

  /// The key by which the kernel finds an element.
  static func write(
    _ key: HeaderKey, _ shape: KeyShape, _ form: TableForm, _ id: TableID, to out: inout ByteWriter
  ) {
    out.nest(NFTA_SET_ELEM_KEY) { out in
      out.fill(NFTA_DATA_VALUE) { shape.write(key, id.family, form, to: &$0) }
    }
    guard shape.isRanged else { return }
    out.nest(NFTA_SET_ELEM_KEY_END) { out in
      out.fill(NFTA_DATA_VALUE) { shape.writeRanged(key, isEnd: true, id.family, to: &$0) }
    }
  }
}

/// Maps from keys to verdicts, each element with a counter.
extension Batch {
  mutating func create(_ map: CompiledChain.Map, for chain: ChainName, in id: TableID) {
    let flags = NLM_F_CREATE
    let shape = map.kind.shape
    let (table, form) = (form.tableName(id), form)
    // Only told apart inside a batch; the name does that too.
    let number = UInt32(truncatingIfNeeded: count + 1)
    message(Self.type(NFT_MSG_NEWSET), flags: flags, family: form.family(id), .lookup(id, chain)) { out in
      out.put(NFTA_SET_TABLE, text: table)
      out.put(NFTA_SET_NAME, text: map.name)
      out.put(
        NFTA_SET_FLAGS,
        big: NFT_SET_MAP.rawValue | (shape.isRanged ? NFT_SET_INTERVAL.rawValue | NFT_SET_CONCAT.rawValue : 0))
      out.put(NFTA_SET_KEY_TYPE, big: shape.keyType(id.family, form))
      out.put(NFTA_SET_KEY_LEN, big: UInt32(shape.keyLength(id.family, form)))
      out.put(NFTA_SET_DATA_TYPE, big: UInt32(NFT_DATA_VERDICT.rawValue))
      out.put(NFTA_SET_ID, big: number)
      let room = map.room * (form == .shared ? Family.allCases.count : 1)
      out.nest(NFTA_SET_DESC) { out in
        out.put(NFTA_SET_DESC_SIZE, big: UInt32(room))
        guard shape.isRanged else { return }
        out.nest(NFTA_SET_DESC_CONCAT) { out in
          for field in shape.keyFields(id.family, form) {
            out.nest(NFTA_LIST_ELEM) { $0.put(NFTA_SET_FIELD_LEN, big: UInt32(field.length)) }
          }
        }
      }
      out.put(NFTA_SET_USERDATA, [MapNote.kind, 4] + shape.packed)
      out.nest(NFTA_SET_EXPR) { out in
        out.put(NFTA_EXPR_NAME, text: "counter")
        out.nest(NFTA_EXPR_DATA) { _ in }
      }
    }
  }

  mutating func delete(map name: String, of chain: ChainName, in id: TableID) {
    let table = form.tableName(id)
    message(Self.type(NFT_MSG_DELSET), flags: 0, family: form.family(id), .lookup(id, chain)) { out in
      out.put(NFTA_SET_TABLE, text: table)
      out.put(NFTA_SET_NAME, text: name)
    }
  }

  mutating func add(_ elements: [MapElement], to map: CompiledChain.Map, of chain: ChainName, in id: TableID) {
    change(NFT_MSG_NEWSETELEM, flags: NLM_F_CREATE, elements, map, chain, id)
  }

  mutating func remove(_ keys: [HeaderKey], from map: CompiledChain.Map, of chain: ChainName, in id: TableID) {
    change(NFT_MSG_DELSETELEM, flags: 0, keys.map { MapElement(key: $0) }, map, chain, id)
  }

  /// The length of an attribute has 16 bits; the largest element has about 500 bytes.
  private static let mostBytes = 60_000

  private mutating func change(
    _ type: nf_tables_msg_types, flags: Int32, _ elements: [MapElement], _ map: CompiledChain.Map, _ chain: ChainName,
    _ id: TableID
  ) {
    let (table, form) = (form.tableName(id), form)
    var next = 0
    while next < elements.count {
      message(Self.type(type), flags: flags, family: form.family(id), .lookup(id, chain)) { out in
        out.put(NFTA_SET_ELEM_LIST_TABLE, text: table)
        out.put(NFTA_SET_ELEM_LIST_SET, text: map.name)
        out.nest(NFTA_SET_ELEM_LIST_ELEMENTS) { out in
          let start = out.count
          while next < elements.count, out.count - start < Self.mostBytes {
            write(elements[next], map.kind.shape, isNew: type == NFT_MSG_NEWSETELEM, form, id, to: &out)
            next += 1
          }
        }
      }
    }
  }
}

private func write(
  _ element: MapElement, _ shape: KeyShape, isNew: Bool, _ form: TableForm, _ id: TableID, to out: inout ByteWriter
) {
  out.nest(NFTA_LIST_ELEM) { out in
    MapElement.write(element.key, shape, form, id, to: &out)
    guard isNew else { return }
    out.nest(NFTA_SET_ELEM_DATA) { ExpressionAttributes.writeData(form.inKernel(element.verdict, in: id), to: &$0) }
    out.fill(NFTA_SET_ELEM_USERDATA) { element.note.write(id.family, to: &$0) }
    guard element.counters != .zero else { return }
    out.nest(NFTA_SET_ELEM_EXPR) { out in
      out.put(NFTA_EXPR_NAME, text: "counter")
      out.nest(NFTA_EXPR_DATA) { out in
        out.put(NFTA_COUNTER_BYTES, big: element.counters.bytes)
        out.put(NFTA_COUNTER_PACKETS, big: element.counters.packets)
      }
    }
  }
}

/// User data of a map.
enum MapNote {
  static let kind: UInt8 = 0x46

  static func shape(_ bytes: UnsafeRawBufferPointer) -> KeyShape? {
    guard bytes.count == 6, bytes[0] == kind, bytes[1] == 4 else { return nil }
    return KeyShape(packed: UnsafeRawBufferPointer(rebasing: bytes[2...]))
  }
}

extension NFTExpression {
  /// The verdict that a map has for the key in registers; the rule ends where it has none.
  static func lookup(_ map: String, from register: NFTRegister) -> NFTExpression {
    var out = ByteWriter(capacity: 64)
    out.put(NFTA_LOOKUP_SET, text: map)
    out.put(NFTA_LOOKUP_SREG, big: register.rawValue)
    out.put(NFTA_LOOKUP_DREG, big: UInt32(NFT_REG_VERDICT.rawValue))
    return .opaque(name: "lookup", attributes: out.bytes)
  }

  /// The map of an expression that ``lookup(_:from:)`` makes; nil for any other.
  var lookedUpMap: String? {
    guard case .opaque("lookup", let attributes) = self else { return nil }
    return attributes.withUnsafeBytes { bytes in
      do throws(WireError) {
        var fields = try AttributeReader(bytes)
        let map = try fields.text(NFTA_LOOKUP_SET)
        let register: UInt32 = try fields.big(NFTA_LOOKUP_SREG)
        let result: UInt32 = try fields.big(NFTA_LOOKUP_DREG)
        let flags: UInt32 = try fields.bigIfPresent(NFTA_LOOKUP_FLAGS) ?? 0
        try fields.finish()
        let isOurs = register == KeyShape.firstRegister.rawValue && result == UInt32(NFT_REG_VERDICT.rawValue)
        return isOurs && flags == 0 ? map : nil
      } catch {
        return nil
      }
    }
  }
}
