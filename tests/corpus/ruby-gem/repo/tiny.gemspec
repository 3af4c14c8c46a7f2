Gem::Specification.new do |spec|
  spec.name = "tiny"
  spec.required_ruby_version = ">= 2.7", "< 4"
  spec.add_development_dependency "minitest"
end
