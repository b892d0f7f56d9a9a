internal import Netfilter

/// The present numbers of sets (ipset) that rules name by the numbers of another time.
struct SetMoves {
  private var moved: [UInt16: UInt16] = [:]
  /// The sets' names by their present numbers.
  private(set) var names: [UInt16: String] = [:]

  /// - Parameter index: the present number of the set with a name.
  init<E: Error>(_ sets: [UInt16: String], _ index: (String) throws(E) -> UInt16) throws(E) {
    for (old, name) in sets {
      let new = try index(name)
      if new != old { moved[old] = new }
      names[new] = name
    }
  }

  var isEmpty: Bool { moved.isEmpty }

  subscript(_ old: UInt16) -> UInt16? { moved[old] }
}

extension IPSetDirectory {
  /// The number of a set now; an imagined one where it is gone.
  func presentOrImagined(_ name: String) -> UInt16 {
    if case .found(let index, _) = find(name) { return index }
    guard case .found(let index, _) = IPSetDirectory.imagined.find(name) else { return 0 }
    return index
  }
}
