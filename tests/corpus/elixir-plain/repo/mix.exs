defmodule P do
  def project, do: [
    elixir: "~> 1.12 or ~> 1.13.0"
  ]
end
