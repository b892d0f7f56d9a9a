/// The version of this library and of the command.
public let firebreakVersion = "0.1.0"
