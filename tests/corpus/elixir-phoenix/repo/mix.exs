defmodule Shop.MixProject do
  use Mix.Project

  def project do
    [
      app: :shop,
      elixir: "~> 1.15",
      deps: deps()
    ]
  end

  defp deps do
    [
      {:phoenix, "~> 1.7"},
      {:postgrex, ">= 0.0.0"}
    ]
  end
end
