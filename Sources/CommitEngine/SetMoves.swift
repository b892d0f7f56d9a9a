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
