package main

func genPlanes(g *gen) {}
