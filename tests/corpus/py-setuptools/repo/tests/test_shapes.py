def test_it():
    import shapes
