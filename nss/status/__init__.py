"""How the service is: what is read of its parts, what that means, what people see."""
