"""The gallery: a guest's pictures, to leaf through, search, mark, order again and delete. Knows no words."""
