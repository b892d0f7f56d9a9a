import Firebreak
