"""What is left of a module's guards in the ways in which modules are really run.

A compiler may rewrite ``log1p``, an exporter may not know it, autocast changes formats and a mesh
of devices changes what a tensor is. `losscodegen.survival.ways.WAYS` has them all; the points, the
truth and the verdict are the judge's.
"""
