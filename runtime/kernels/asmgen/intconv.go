package main

func genIntConv(g *gen) {}
