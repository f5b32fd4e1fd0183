"""Read a DICOM series: headers with pydicom, pixels with SimpleITK or pydicom."""
