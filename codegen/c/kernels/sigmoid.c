/* 1 / (1 + e^-x). */
static double sigmoid(double x)
{
    return 1 / (1 + exp_of(-x));
}
