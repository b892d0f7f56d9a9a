/// What a message of a restore is about, for the sentence about its refusal.
enum ImagePart: CustomStringConvertible {
  case removal(RulesetImage.ID)
  case table(RulesetImage.ID)
  case chain(RulesetImage.ID, ObjectName)
  case set(RulesetImage.ID, ObjectName)
  case elements(RulesetImage.ID, ObjectName)
  case object(RulesetImage.ID, ObjectName, kind: String)
  case flowtable(RulesetImage.ID, ObjectName)
  /// By its place in the chain, from 0.
  case rule(RulesetImage.ID, ObjectName, Int)

  var table: RulesetImage.ID {
    switch self {
    case .removal(let id), .table(let id), .chain(let id, _), .set(let id, _), .elements(let id, _),
      .object(let id, _, _), .flowtable(let id, _), .rule(let id, _, _):
      id
    }
  }

  var description: String {
    switch self {
    case .removal(let id): "to take out table \(id)"
    case .table(let id): "table \(id)"
    case .chain(let id, let name): "chain \(name) of table \(id)"
    case .set(let id, let name): "set \(name) of table \(id)"
    case .elements(let id, let name): "elements of set \(name) of table \(id)"
    case .object(let id, let name, let kind): "\(kind) \(name) of table \(id)"
    case .flowtable(let id, let name): "flowtable \(name) of table \(id)"
    case .rule(let id, let chain, let place): "rule \(place + 1) of chain \(chain) of table \(id)"
    }
  }
}
