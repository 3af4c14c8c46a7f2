defmodule P do
  def project, do: [
    elixir: "~> 2.0"
  ]
end
